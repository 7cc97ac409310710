import type { StartView } from '../../backend/port';
import { t } from '../../i18n/text';
import { measure, minLength, minWords, tidyTicket, validTicket } from '../../state/reason';

/** Ask is what the confirm dialog collects, and what of it is still missing. */
export class Ask {
  name = $state(false);
  email = $state(false);
  category = $state('');
  text = $state('');
  ticket = $state('');
  consent = $state(false);
  how = $state('');

  measured = $derived(measure(this.text));
  ticketGiven = $derived(tidyTicket(this.ticket) !== '');
  ticketValid = $derived(validTicket(this.ticket));

  /** What stands in the way of the start, in words; empty when nothing does. */
  missing(identityChecked: boolean): string[] {
    const all: [boolean, string][] = [
      [!identityChecked && !(this.name && this.email), t('confirm.missIdentity')],
      [this.measured.over > 0, t('confirm.missShorter')],
      [this.ticketGiven && !this.ticketValid, t('confirm.missTicket')],
      ...this.#missingReason(),
      [!this.consent, t('confirm.missConsent')],
      [this.consent && this.how === '', t('confirm.missHow')],
    ];
    return all.filter(([is]) => is).map(([, what]) => what);
  }

  /** What the reason lacks; a ticket stands for it. */
  #missingReason(): [boolean, string][] {
    if (this.ticketGiven) return [];
    const { length, words } = this.measured;
    if (length === 0) return [[true, t('confirm.missReason')]];
    return [
      [this.category === '', t('confirm.missCategory')],
      [length < minLength, t('confirm.missLonger')],
      [length >= minLength && words < minWords, t('confirm.missWords')],
    ];
  }

  /** What is sent. The ticks are those made here: a check on the profile is recorded already. */
  start(memberId: string): StartView {
    return {
      memberId,
      category: this.category,
      reason: this.text.trim(),
      ticket: tidyTicket(this.ticket),
      consent: this.consent,
      consentHow: this.how,
      nameChecked: this.name,
      mailChecked: this.email,
    };
  }
}
