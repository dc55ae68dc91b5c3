// Looks at the window: every screen, in both sizes, themes and languages, with axe-core on each.
// `npm run look [out] [--quick]`: PNGs go to ui/look/out; exits 1 if axe finds a violation or a screen logs an error.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';

const OUT = 'look/out';
const quick = process.argv.includes('--quick');
const only = process.argv.find((a) => a.startsWith('--only='))?.slice(7).split(',');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
mkdirSync(OUT, { recursive: true });

const server = await createServer({ server: { port: 1430, strictPort: false }, logLevel: 'error' });
await server.listen();
const base = `http://localhost:${server.config.server.port}`;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let bad = 0;

const SCREENS = ['start', 'data', 'train', 'results', 'try', 'compare', 'report', 'models'];
/** Tasks beside the first, as the start lists them; each has a run of its name. */
const OTHERS = ['entities', 'sql', 'hashtags'];
const sizes = quick ? [[1280, 800]] : [[1280, 800], [1920, 1080]];
const looks = quick ? [['en', 'light'], ['it', 'dark']] : [['en', 'light'], ['en', 'dark'], ['it', 'light'], ['it', 'dark']];

async function check(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { iframes: false }));
  for (const v of violations) {
    bad += 1;
    console.log(`${name}: ${v.id}: ${v.help}\n    ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + ' | ' + (n.any[0]?.message ?? '')).join('\n    ')}`);
  }
}

async function shoot(page, name, run = true) {
  if (only && !only.some((o) => name.includes(o))) return;
  await page.waitForTimeout(350);
  await page.screenshot({ path: `${OUT}/${name}.png` });
  if (run) await check(page, name);
}

for (const [width, height] of sizes) {
  for (const [language, theme] of looks) {
    const page = await browser.newPage({ viewport: { width, height } });
    page.on('console', (m) => {
      if (m.type() === 'error') {
        bad += 1;
        console.log(`${language} ${theme}: ${m.text()}`);
      }
    });
    page.on('pageerror', (e) => {
      bad += 1;
      console.log(`${language} ${theme}: ${e.message}\n${e.stack}`);
    });
    const end = `${language}-${theme}-${width}`;
    const query = `language=${language}&theme=${theme}`;
    const go = async (screen) => {
      await page.keyboard.press(`Control+${SCREENS.indexOf(screen) + 1}`);
      await page.waitForTimeout(300);
    };
    await page.goto(`${base}/?${query}`);
    await page.waitForSelector('nav');
    for (const screen of SCREENS) {
      await go(screen);
      if (screen === 'data') {
        await page.waitForSelector('[aria-rowindex="4"]');
        await page.locator('[aria-rowindex="4"]').click();
      }
      if (screen === 'try') {
        await page.waitForSelector('.examples button');
        await page.locator('.examples button').nth(1).click();
      }
      if (screen === 'results') await page.waitForSelector('.cell');
      await shoot(page, `${screen}-${end}`);
      if (screen === 'data') {
        await page.locator('.segments label').nth(1).click();
        await page.waitForSelector('.map .layer');
        await page.locator('.map .layer').hover({ position: { x: 300, y: 200 } });
        await shoot(page, `map-${end}`);
      }
      if (screen === 'report') {
        await page.locator('aside details summary').click();
        await shoot(page, `report-sections-${end}`);
      }
      if (screen === 'start') {
        // every card says everything
        for (const summary of await page.locator('main details > summary').all()) await summary.click();
        await shoot(page, `start-details-${end}`);
      }
      if (screen === 'results') {
        // down to the end, where nothing may follow the last card
        await page.evaluate(() => {
          const body = document.querySelector('.body');
          body.scrollTop = body.scrollHeight;
        });
        await shoot(page, `results-end-${end}`);
        const blank = await page.evaluate(() => document.querySelector('.body').getBoundingClientRect().bottom - document.querySelector('.body .column').getBoundingClientRect().bottom);
        if (blank > 40) {
          bad += 1;
          console.log(`results ${end}: ${blank} pixels of nothing at the end`);
        }
        await page.locator('.cell').nth(1).click();
        await shoot(page, `results-cell-${end}`);
      }
    }
    // the other tasks: their rows, what was answered in their runs, and what is answered now
    await page.goto(`${base}/?${query}`);
    await page.waitForSelector('.cards');
    for (const [i, task] of OTHERS.entries()) {
      await go('start');
      await page.locator('label.choice').nth(i + 1).click();
      await go('data');
      await page.waitForSelector(`h1:has-text("${task}-it")`);
      await page.waitForSelector('[aria-rowindex="4"]');
      await page.locator('[aria-rowindex="4"]').click();
      await shoot(page, `data-${task}-${end}`);
      await go('results');
      const runs = page.locator('header select');
      if ((await runs.locator(`option[value="runs/${task}"]`).count()) === 0) {
        bad += 1;
        console.log(`${task}: there is no recorded run; README.md says how to make one`);
        continue;
      }
      await runs.selectOption(`runs/${task}`);
      await page.waitForSelector(task === 'sql' ? '.answers .both table' : '.answers li .tag');
      await shoot(page, `results-${task}-${end}`);
      await page.locator('.answers > ul').scrollIntoViewIfNeeded();
      await shoot(page, `results-answers-${task}-${end}`);
      await go('try');
      await page.waitForSelector('.examples button');
      await page.locator('.examples button').nth(1).click();
      await page.waitForSelector('.answer.main .spoken');
      await shoot(page, `try-${task}-${end}`);
    }
    // another task, and a run that was cut off
    await page.goto(`${base}/?${query}&cut=30`);
    await page.waitForSelector('.cut');
    await page.locator('label.choice').nth(2).click();
    await shoot(page, `cut-${end}`);
    // what does not fit, a run that waits and one that failed
    const begin = async () => {
      await page.waitForFunction(() => document.querySelector('.go .button.large')?.disabled === false, null, { timeout: 15000 });
      await page.locator('.go .button.large').click();
    };
    await page.goto(`${base}/?${query}&tight&fail=20&pace=60`);
    await page.waitForSelector('.go [role=alert]');
    await page.locator('main details:has(.options) > summary').click();
    await shoot(page, `tight-${end}`);
    await begin();
    await page.waitForSelector('.figure svg', { timeout: 15000 });
    await page.keyboard.press('Control+p');
    await page.waitForTimeout(500);
    await shoot(page, `waiting-${end}`);
    await page.keyboard.press('Control+p');
    await page.waitForSelector('.fault', { timeout: 15000 });
    await shoot(page, `failed-${end}`);
    await go('start');
    await shoot(page, `failed-start-${end}`);
    // first start, a run under way, and the reading layer
    await page.goto(`${base}/?${query}&first&pace=500`);
    await page.waitForSelector('.cards');
    await shoot(page, `first-${end}`);
    for (const screen of ['train', 'compare']) {
      await go(screen);
      await shoot(page, `first-${screen}-${end}`);
    }
    await go('start');
    await page.locator('.get .button').click();
    await page.waitForTimeout(500);
    await shoot(page, `first-getting-${end}`);
    await page.locator('.get .fetching .button').click();
    await shoot(page, `first-paused-${end}`);
    await page.goto(`${base}/?${query}&pace=60`, { waitUntil: 'domcontentloaded' });
    await page.waitForSelector('.cards');
    await page.waitForFunction(() => document.querySelector('.go .button.large')?.disabled === false, null, { timeout: 15000 });
    await page.locator('.go .button.large').click();
    await page.waitForSelector('.figure svg', { timeout: 15000 });
    await page.waitForTimeout(2500);
    const plot = await page.locator('.layer').first().boundingBox();
    if (plot) await page.mouse.move(plot.x + plot.width * 0.3, plot.y + plot.height * 0.5);
    await shoot(page, `training-${end}`);
    await page.waitForSelector('.done', { timeout: 30000 });
    await shoot(page, `trained-${end}`);
    await page.evaluate(() => {
      const body = document.querySelector('.body');
      body.scrollTop = body.scrollHeight;
    });
    await shoot(page, `trained-end-${end}`);
    await page.close();
  }
}
await browser.close();
await server.close();
console.log(bad === 0 ? 'nothing to complain about' : `${bad} complaints`);
process.exit(bad === 0 ? 0 : 1);
