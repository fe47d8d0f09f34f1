// The part of .ci/page-check that looks at the page. See there for what it is for.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SMALLEST_TEXT, args, launch, needs, picture, screenshots, unfold } from './browser.mjs';

const WIDTHS = [360, 1280];
const SCHEMES = ['light', 'dark'];

const [file] = args;
needs(file, 'page-check.mjs --modules FOLDER --chromium FILE PAGE.html [--screenshots FOLDER]');

/** Runs in the page. Returns what a reader would stumble over, in words, and how many charts there are. */
function look({ smallest }) {
    const problems = [];
    const data = document.getElementById('results');
    let report;
    try {
        report = JSON.parse(data.textContent);
    } catch (error) {
        return { problems: [`the results inside are no JSON: ${error.message}`], charts: 0 };
    }

    // Each number of the report has its mark, and each mark is one of the report's numbers.
    const measured = report.results.filter((result) => result.value !== null);
    const names = new Set(report.stages.map((stage) => stage.name));
    const near = (a, b) => a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
    let charts = 0;
    for (const workload of new Set(measured.map((result) => result.workload))) {
        const of = measured.filter((result) => result.workload === workload);
        const along = of.filter((result) => result.at !== undefined && result.at !== null);
        const expected = along.length > 0
            ? Map.groupBy(along, (result) => `${workload}-${result.metric}`)
            : new Map([[workload, of.filter((result) => result.headline)]]);
        for (const [id, numbers] of expected) {
            const chart = document.getElementById(id)?.querySelector('figure svg.chart');
            if (!chart) {
                problems.push(`there is no chart ${id}`);
                continue;
            }
            charts += 1;
            const marks = [...chart.querySelectorAll('.bar, .point')];
            if (marks.length !== numbers.length) {
                problems.push(`the chart ${id} has ${marks.length} marks for ${numbers.length} numbers`);
            }
            for (const number of numbers) {
                const is = (mark) => mark.dataset.stage === number.stage && near(Number(mark.dataset.value), number.value)
                    && (number.at === undefined || near(Number(mark.dataset.x), number.at));
                if (!marks.some(is)) problems.push(`the chart ${id} has no mark for ${number.stage}, ${number.value}`);
            }
            for (const mark of marks) {
                const box = mark.getBoundingClientRect();
                if (!names.has(mark.dataset.stage)) problems.push(`the chart ${id} has a mark of nobody`);
                if (box.width < 1 || box.height < 2) problems.push(`the chart ${id} has a mark that cannot be seen`);
                const fill = getComputedStyle(mark).fill;
                if (fill === 'none' || fill === 'rgb(0, 0, 0)') problems.push(`the chart ${id} has a mark without a colour`);
            }
            if (!chart.querySelector('title')?.textContent || !chart.querySelector('desc')?.textContent) {
                problems.push(`the chart ${id} says nothing to those who do not see it`);
            }
            if (!document.getElementById(id).querySelector('.says')?.textContent.trim()) {
                problems.push(`nothing is said about the chart ${id}`);
            }
        }
    }

    for (const svg of document.querySelectorAll('svg.chart')) {
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
            if (text.size < smallest) problems.push(`"${title}": the text "${text.says}" is ${text.size.toFixed(1)} px high`);
        }
        // A line of text is less high than its box; two boxes that only touch are two lines.
        const inner = (b) => ({ top: b.top + b.height * 0.25, bottom: b.bottom - b.height * 0.25, left: b.left, right: b.right });
        for (let i = 0; i < texts.length; i++) {
            for (let j = i + 1; j < texts.length; j++) {
                const [a, b] = [inner(texts[i].box), inner(texts[j].box)];
                if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) {
                    problems.push(`"${title}": "${texts[i].says}" and "${texts[j].says}" overlap`);
                }
            }
        }
    }

    // Wider than the screen, or than its own box, unless it scrolls in a box of its own.
    const scrolls = (element) => {
        for (let at = element; at && at !== document.body; at = at.parentElement) {
            if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(at).overflowX)) return true;
        }
        return false;
    };
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) problems.push('the page is wider than the screen');
    for (const element of document.body.querySelectorAll('*')) {
        const box = element.getBoundingClientRect();
        if (box.width > 0 && box.right > width + 1 && !scrolls(element)) {
            problems.push(`<${element.localName}> reaches ${Math.round(box.right - width)} px beyond the screen: `
                + `"${element.textContent.trim().slice(0, 40)}"`);
            break;
        }
    }
    if (!document.querySelector('#seed table')) problems.push('the article\'s table is not there');
    return { problems, charts };
}

/** Looks at a page in every width and colour. Returns the problems, each once. */
async function check(browser, path, pictures) {
    const problems = new Set();
    let charts = 0;
    const open = async (width, scheme) => {
        const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
        const say = (what) => problems.add(`${width} px, ${scheme}: ${what}`);
        page.on('console', (message) => {
            if (['error', 'warning'].includes(message.type())) say(`the console says: ${message.text()}`);
        });
        page.on('pageerror', (error) => say(`a script failed: ${error.message}`));
        page.on('request', (request) => {
            const url = request.url();
            if (url !== pathToFileURL(path).href && !url.startsWith('data:')) say(`it fetches ${url}`);
        });
        await page.goto(pathToFileURL(path).href, { waitUntil: 'load' });
        return { page, say };
    };
    const colours = [];
    for (const scheme of SCHEMES) {
        for (const width of WIDTHS) {
            const { page, say } = await open(width, scheme);
            await picture(page, width, pictures, `page-${scheme}-${width}`);
            await unfold(page);
            const seen = await page.evaluate(look, { smallest: SMALLEST_TEXT });
            for (const problem of seen.problems) say(problem);
            charts = seen.charts;
            colours.push([scheme, await page.evaluate(() => getComputedStyle(document.body).backgroundColor)]);
            await page.close();
        }
    }
    const of = (scheme) => colours.filter(([name]) => name === scheme).map(([, colour]) => colour);
    if (of('light').some((colour) => of('dark').includes(colour))) problems.add('light and dark are the same');
    // On paper: the width of A4 without its margins, in light colours whatever the screen has.
    const { page, say } = await open(690, 'dark');
    await page.emulateMedia({ media: 'print' });
    await picture(page, 690, pictures, 'page-print');
    const seen = await page.evaluate(look, { smallest: SMALLEST_TEXT * 0.75 });
    for (const problem of seen.problems) say(`printed: ${problem}`);
    const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    if (!of('light').includes(paper)) problems.add('it is printed in the colours of the dark theme');
    await page.close();
    return { problems, charts };
}

/** Ways to break a page, each with a part of what has to be said about it. */
const BREAKS = [
    ['a bar is left out', (text) => text.replace(/<path class="bar [^>]*><\/path>/, ''), 'marks for'],
    ['a bar has another number', (text) => text.replace(/data-value="[^"]*"/, 'data-value="0.5"'), 'has no mark for'],
    ['a chart is left out', (text) => text.replace(/<svg class="chart"[\s\S]*?<\/svg>/, ''), 'there is no chart'],
    ['a text runs out of its chart', (text) => text.replace(/(<text class="strong" x=")[^"]*/, '$1330'), 'is cut off'],
    ['two texts lie on each other', (text) => text.replace(/(<text class="end strong" x=")[^"]*/, '$190'), 'overlap'],
    ['the page is too wide', (text) => text.replace('<main>', '<main><div style="width:2000px">x</div>'), 'beyond the screen'],
    ['it fetches something', (text) => text.replace('</head>', '<script src="gone.js"></script></head>'), 'it fetches'],
    ['a script fails', (text) => text.replace('</body>', '<script>throw new Error("no")</script></body>'), 'a script failed'],
    ['the style is lost', (text) => text.replace(/<style>[\s\S]*?<\/style>/, ''), 'without a colour'],
    ['the results are damaged', (text) => text.replace('id="results">{', 'id="results">'), 'are no JSON'],
];

const browser = await launch();
const { problems, charts } = await check(browser, resolve(file), screenshots);
for (const problem of problems) console.error(`  ${problem}`);
console.log(`page-check: ${charts} charts in ${WIDTHS.length * SCHEMES.length} views and on paper, ${problems.size} problem(s)`);

let missed = 0;
const folder = mkdtempSync(join(tmpdir(), 'page-check-'));
const sound = readFileSync(file, 'utf8');
for (const [what, breakIt, expected] of BREAKS) {
    const broken = breakIt(sound);
    const path = join(folder, 'broken.html');
    writeFileSync(path, broken);
    const found = broken === sound ? new Set() : (await check(browser, path)).problems;
    if (![...found].some((problem) => problem.includes(expected))) {
        missed += 1;
        console.error(`  broken on purpose and not noticed: ${what} (found: ${[...found].slice(0, 3).join('; ') || 'nothing'})`);
    }
}
rmSync(folder, { recursive: true });
await browser.close();
console.log(`page-check: ${BREAKS.length} pages broken on purpose, ${missed} not noticed`);
process.exit(problems.size === 0 && charts > 0 && missed === 0 ? 0 : 1);
