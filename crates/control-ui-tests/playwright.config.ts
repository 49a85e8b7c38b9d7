import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { defineConfig } from '@playwright/test';

// Cargo's target directory: nothing is written beside the tests.
const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url));

export default defineConfig({
  testDir: 'tests',
  outputDir: process.env.OUTPUT ?? join(target, 'control-ui-tests'),
  reporter: 'line',
  forbidOnly: true,
  fullyParallel: true,
  retries: 0,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  metadata: { stage: process.env.STAGE ?? join(target, 'debug/stage') },
  use: {
    browserName: 'chromium',
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        // Who rebinds a name to this machine.
        '--host-resolver-rules=MAP rebind.example 127.0.0.1',
      ],
    },
  },
});
