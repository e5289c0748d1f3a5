"""turnkit inside of other people's worlds: a file or small package for each, which alone imports what is foreign.

Each needs what its extra installs, as in `pip install 'turnkit[pipecat]'`, and is imported by its own name.
"""
