import { expect, type Locator, type Page } from '@playwright/test';

/** What a person does in the window, step by step, by roles and names only. */
export class Steps {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  async signIn(): Promise<void> {
    await this.page.getByRole('button', { name: 'Sign in with the browser' }).click();
  }

  async enrol(code: string): Promise<void> {
    await this.page.getByRole('textbox', { name: 'Enrolment code' }).fill(code);
    await this.page.getByRole('button', { name: 'Enrol device' }).click();
  }

  async go(place: 'Members' | 'Session' | 'Owed notes' | 'Overview' | 'Trail'): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Main' }).getByRole('button', { name: new RegExp(`^${place}`) }).click();
  }

  async find(what: string): Promise<void> {
    await this.page.keyboard.press('/');
    await this.page.getByRole('textbox', { name: 'Find a member' }).fill(what);
  }

  /** Searches by the e-mail address where names may be shared. */
  async openProfile(name: string, email = name): Promise<void> {
    await this.find(email);
    await this.page.getByRole('button', { name, exact: true }).click();
    await expect(this.page.getByRole('heading', { level: 1, name })).toBeVisible();
  }

  async impersonate(): Promise<Locator> {
    await this.page.getByRole('button', { name: 'Actions', exact: true }).click();
    await this.page.getByRole('menuitem', { name: 'Impersonate' }).click();
    return this.page.getByRole('dialog');
  }

  /** Fills in the confirm dialog; the identity only where it is asked for. */
  async fill(dialog: Locator, reason: string): Promise<void> {
    for (const what of [/^Name matches/, /^E-mail matches/]) {
      const tick = dialog.getByRole('checkbox', { name: what });
      if (await tick.count()) await tick.check();
    }
    await dialog.getByRole('radio', { name: 'Something does not work' }).check();
    await dialog.getByRole('textbox', { name: 'In your own words' }).fill(reason);
    await dialog.getByRole('checkbox', { name: /has agreed/ }).check();
    await dialog.getByRole('radio', { name: 'By phone' }).check();
  }

  async ok(dialog: Locator): Promise<void> {
    await dialog.getByRole('button', { name: 'OK, log in' }).click();
  }

  get bar(): Locator {
    return this.page.getByRole('region', { name: 'Live session' });
  }

  async end(): Promise<void> {
    await this.bar.getByRole('button', { name: 'End session' }).click();
  }

  async writeNote(text: string): Promise<void> {
    await this.page.getByRole('textbox', { name: /^What did you look at/ }).fill(text);
    await this.page.getByRole('button', { name: 'Save note' }).click();
  }
}
