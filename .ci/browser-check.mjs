// The part of .ci/browser-check that looks at the pages. See there for what it is for.
import { createServer } from 'node:http';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { extname, join, normalize, relative } from 'node:path';
import { SMALLEST_TEXT, args, launch, needs, option, picture, screenshots, unfold } from './browser.mjs';

const WIDTHS = [390, 1280];
const THEMES = ['light', 'navy'];

const only = option('--only');
const address = option('--address');
const [root] = args;
needs(root, 'browser-check.mjs --modules FOLDER --chromium FILE BOOK_FOLDER [--address URL] [--screenshots FOLDER] [--only PART_OF_A_PATH]');

/** Every page of the book. The last two are mdbook's own: a frame, and all chapters once more. */
function pages(folder) {
    const found = [];
    for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        if (statSync(path).isDirectory()) found.push(...pages(path));
        else if (extname(name) === '.html' && name !== 'toc.html' && name !== 'print.html') found.push(path);
    }
    return found.sort();
}

const TYPES = {
    '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.json': 'application/json',
    '.svg': 'image/svg+xml', '.png': 'image/png', '.woff2': 'font/woff2', '.txt': 'text/plain; charset=utf-8',
};

/** Serves the folder to this machine, where nobody else serves it. */
function serve(folder) {
    const server = createServer((request, response) => {
        const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname));
        try {
            const body = readFileSync(join(folder, path.endsWith('/') ? `${path}index.html` : path));
            response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' });
            response.end(body);
        } catch {
            response.writeHead(404).end();
        }
    });
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Runs in the page. Returns what a reader would stumble over, in words. */
function look({ smallest }) {
    const problems = [];
    const main = document.querySelector('main');
    if (!main) return ['there is no text'];
    if (main.innerText.includes('{{#')) problems.push('a directive of mdbook that was not carried out');

    for (const image of document.images) {
        if (!image.complete || image.naturalWidth === 0) problems.push(`the image ${image.src} did not load`);
    }
    for (const figure of main.querySelectorAll('figure')) {
        const drawing = figure.querySelector('svg, img');
        const box = drawing?.getBoundingClientRect();
        if (!box || box.width < 100 || box.height < 20) problems.push('a figure without its drawing');
    }
    for (const svg of main.querySelectorAll('figure svg')) {
        const title = svg.querySelector('title')?.textContent ?? '?';
        const box = svg.getBoundingClientRect();
        const scale = box.width / (svg.viewBox.baseVal.width || box.width);
        const texts = [...svg.querySelectorAll('text')].map((text) => ({
            box: text.getBoundingClientRect(),
            size: parseFloat(getComputedStyle(text).fontSize) * scale,
            says: text.textContent,
        }));
        for (const text of texts) {
            const out = text.box.left < box.left - 1 || text.box.right > box.right + 1
                || text.box.top < box.top - 1 || text.box.bottom > box.bottom + 1;
            if (out) problems.push(`"${title}": the text "${text.says}" is cut off`);
            if (text.size < smallest) {
                problems.push(`"${title}": the text "${text.says}" is ${text.size.toFixed(1)} px high`);
            }
        }
        // A line of text is less high than its box; two boxes that only touch are two lines.
        const inner = (b) => ({ ...b, top: b.top + b.height * 0.25, bottom: b.bottom - b.height * 0.25,
            left: b.left, right: b.right });
        for (let i = 0; i < texts.length; i++) {
            for (let j = i + 1; j < texts.length; j++) {
                const [a, b] = [inner(texts[i].box), inner(texts[j].box)];
                if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) {
                    problems.push(`"${title}": "${texts[i].says}" and "${texts[j].says}" overlap`);
                }
            }
        }
    }
    // Wider than the screen, unless it scrolls in a box of its own.
    const scrolls = (element) => {
        for (let at = element; at && at !== main; at = at.parentElement) {
            if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(at).overflowX)) return true;
        }
        return false;
    };
    const width = document.documentElement.clientWidth;
    for (const element of main.querySelectorAll('*')) {
        const box = element.getBoundingClientRect();
        if (box.width > 0 && box.right > width + 1 && !scrolls(element)) {
            problems.push(`<${element.localName}> reaches ${Math.round(box.right - width)} px beyond the screen: `
                + `"${element.textContent.trim().slice(0, 40)}"`);
            break;
        }
    }
    return problems;
}

const server = address ? undefined : await serve(root);
const origin = address ?? `http://127.0.0.1:${server.address().port}`;
const browser = await launch();
const problems = new Set();
let looked = 0;
for (const theme of THEMES) {
    for (const width of WIDTHS) {
        const context = await browser.newContext({ viewport: { width, height: 900 } });
        await context.addInitScript((name) => {
            localStorage.setItem('mdbook-theme', name);
            if (innerWidth > 1000) localStorage.setItem('mdbook-sidebar', 'visible');
        }, theme);
        for (const path of pages(root)) {
            const name = relative(root, path);
            if (only && !name.includes(only)) continue;
            const page = await context.newPage();
            const say = (what) => problems.add(`${name} (${theme}, ${width} px): ${what}`);
            page.on('console', (message) => {
                if (message.type() === 'error') say(`the console says: ${message.text()}`);
            });
            page.on('pageerror', (error) => say(`a script failed: ${error.message}`));
            page.on('response', (response) => {
                if (response.status() >= 400) say(`${response.url()} is answered with ${response.status()}`);
            });
            page.on('requestfailed', (request) => say(`${request.url()} could not be loaded`));
            await page.goto(`${origin}/${name}`, { waitUntil: 'load' });
            await page.evaluate(() => document.fonts.ready);
            await unfold(page);
            for (const problem of await page.evaluate(look, { smallest: SMALLEST_TEXT })) say(problem);
            await picture(page, width, screenshots, `${name.replaceAll('/', '-').replace('.html', '')}-${theme}-${width}`);
            await page.close();
            looked += 1;
        }
        await context.close();
    }
}
await browser.close();
server?.close();
for (const problem of problems) console.error(`  ${problem}`);
console.log(`browser-check: ${looked} views of the book, ${problems.size} problem(s)`);
process.exit(problems.size === 0 && looked > 0 ? 0 : 1);
