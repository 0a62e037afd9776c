// browse.js: a headless Chromium, driven by lines on stdin, each a JSON object that is answered by one on stdout.
//
//   {"do":"open","url":U}  {"do":"wait","js":J}  {"do":"eval","js":J}  {"do":"type","at":S,"text":T}  {"do":"press","key":K}
//   {"do":"click","at":S}  {"do":"size","width":W,"height":H}  {"do":"dark","on":true}  {"do":"shot","path":P}  {"do":"seen"}
//
// wait holds until J is true. seen gives what the console said of errors, and every URL that was asked for.
const {chromium} = require(process.argv[2] + "/node_modules/playwright-core");
const readline = require("readline");

// Asked from outside: what waits within the page evaluates text, which its policy forbids.
async function until(page, js, timeout) {
    for (const end = Date.now() + timeout; !await page.evaluate(js);) {
        if (Date.now() > end) throw new Error("it did not come to hold: " + js);
        await new Promise((done) => setTimeout(done, 50));
    }
}

async function main() {
    const browser = await chromium.launch({executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"]});
    const page = await browser.newPage({viewport: {width: 1100, height: 900}});
    const errors = [], urls = [];
    page.on("console", (m) => { if (m.type() === "error") errors.push(m.text()); });
    page.on("pageerror", (e) => errors.push(String(e)));
    page.on("request", (r) => urls.push(r.url()));
    const steps = {
        open: (s) => page.goto(s.url, {waitUntil: "domcontentloaded"}),
        wait: (s) => until(page, s.js, s.timeout || 15000),
        eval: (s) => page.evaluate(s.js),
        type: (s) => page.fill(s.at, s.text),
        press: (s) => page.keyboard.press(s.key),
        click: (s) => page.click(s.at),
        size: (s) => page.setViewportSize({width: s.width, height: s.height}),
        dark: (s) => page.emulateMedia({colorScheme: s.on ? "dark" : "light"}),
        shot: (s) => page.screenshot({path: s.path}),
        seen: () => ({errors, urls}),
    };
    console.log(JSON.stringify({ok: "ready"}));
    for await (const line of readline.createInterface({input: process.stdin})) {
        const step = JSON.parse(line);
        try {
            const got = await steps[step.do](step);
            console.log(JSON.stringify({ok: ["eval", "seen"].includes(step.do) ? got ?? null : true}));
        } catch (error) {
            console.log(JSON.stringify({failed: String(error)}));
        }
    }
    await browser.close();
}

main().catch((error) => { console.log(JSON.stringify({failed: String(error)})); process.exit(1); });
