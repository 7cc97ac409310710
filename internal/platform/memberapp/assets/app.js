// The portal works without this script; it only makes three things nicer.
'use strict';

// Times are written in UTC by the server; show them in the reader's own time zone.
const local = new Intl.DateTimeFormat(undefined, { dateStyle: 'long', timeStyle: 'short' });
for (const time of document.querySelectorAll('time[datetime]')) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) {
    time.title = time.textContent;
    time.textContent = local.format(at);
  }
}

// A form is sent once, however often its button is pressed.
for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
    }
    form.dataset.sent = 'yes';
  });
}
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
  }
});

// Whoever made a mistake in a form is taken to it.
document.querySelector('[aria-invalid="true"]')?.focus();
