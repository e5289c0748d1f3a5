"""The workshop: what proves, loads, tunes, draws and shows a bot. A running bot loads none of it."""
