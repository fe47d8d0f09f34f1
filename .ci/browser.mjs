// What .ci/browser-check.mjs and .ci/page-check.mjs share: their options, the browser, and how a page is unfolded and pictured.
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** The smallest text in a figure or a chart, in CSS pixels, that can still be read. */
export const SMALLEST_TEXT = 9.5;

/** The command line: `option` takes an option with its value out, `args` is what is left. */
export const args = process.argv.slice(2);
export const option = (name) => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args.splice(at, 2)[1];
};
const modules = option('--modules');
const chromiumPath = option('--chromium');
export const screenshots = option('--screenshots');

/** Ends the program with this text unless what it needs was given. */
export function needs(given, usage) {
    if (given && modules && chromiumPath) return;
    console.error(`usage: ${usage}`);
    process.exit(2);
}

export function launch() {
    const { chromium } = createRequire(join(modules, 'package.json'))('playwright-core');
    return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
}

/** What is folded is looked at too. */
export const unfold = (page) => page.evaluate(() => document.querySelectorAll('details').forEach((fold) => { fold.open = true; }));

/** A picture of the whole page, if pictures are wanted. */
export async function picture(page, width, folder, name) {
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    // Chromium cannot draw a picture that is arbitrarily high.
    const height = Math.min(await page.evaluate(() => document.documentElement.scrollHeight), 15000);
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: join(folder, `${name}.png`) });
}
