// Calls of @deepgram/sdk on Node; told what to do, and tells, in JSON, a line a call.
async function call(job) {
    // Only in a browser does it put the key into the subprotocol, and only there without a header besides: so it is
    // told that it is in one, with a WebSocket that takes no headers.
    if (job.auth.endsWith("subprotocol")) {
        const { WebSocket } = require("ws");
        globalThis.WebSocket = class extends WebSocket {
            constructor(url, protocols) {
                super(url, protocols);
            }
        };
        globalThis.window = { document: {}, navigator: { userAgent: "Node" } };
    }
    const { DeepgramClient } = require("@deepgram/sdk");
    const heard = { messages: [], error: null, closed: false };
    const environment = { base: job.url, production: job.url, agent: job.url, agentRest: job.url };
    const secret = job.auth.startsWith("bearer") ? { accessToken: job.secret } : { apiKey: job.secret };
    const client = new DeepgramClient({ environment, ...secret });
    const connection = await client.listen.v2.connect({ ...job.options, reconnectAttempts: 0 });
    const over = new Promise((resolve) => {
        connection.on("close", () => resolve((heard.closed = true)));
        connection.on("error", (error) => resolve((heard.error = String(error.message || error).slice(0, 80))));
        setTimeout(resolve, 10000);
    });
    connection.on("message", (message) => heard.messages.push(message));
    connection.connect();
    try {
        await Promise.race([connection.waitForOpen(), over.then(() => Promise.reject(new Error(heard.error)))]);
        for (const [step, value] of job.steps) {
            if (step === "audio")
                for (const piece of value)
                    connection.sendMedia(typeof piece === "string" ? Buffer.from(piece, "hex") : Buffer.alloc(piece));
            else if (step === "configure") connection.sendConfigure(value);
            else if (step === "force") connection.sendForceEndTurn({ type: "ForceEndTurn" });
            else connection.sendCloseStream({ type: "CloseStream" });
        }
        await over;
    } catch (error) {
        heard.error = heard.error || String(error.message || error).slice(0, 80);
    }
    console.log(JSON.stringify(heard));
}

(async () => {
    for await (const line of require("readline").createInterface({ input: process.stdin })) await call(JSON.parse(line));
    process.exit(0);
})();
