// Keeps times and pages up to date as long as somebody looks. Everything works without it.
'use strict';
(() => {
  const PAUSE = 3000, LONGEST = 30000, TICK = 10000;
  const main = () => document.getElementById('main');
  const live = document.getElementById('live');

  // The same words as the server's.
  const relative = (at, now) => {
    const seconds = Math.floor(Math.abs(now - at) / 1000);
    if (seconds < 5) return 'now';
    const text = seconds < 60 ? `${seconds} s`
      : seconds < 3600 ? `${Math.floor(seconds / 60)} min`
      : seconds < 172800 ? `${Math.floor(seconds / 3600)} h`
      : `${Math.floor(seconds / 86400)} d`;
    return at > now ? `in ${text}` : `${text} ago`;
  };
  // The server's clock counts, since a browser's may be wrong.
  let ahead = 0;
  const heard = (response) => {
    const date = Date.parse(response.headers.get('date') || '');
    if (!Number.isNaN(date) && Math.abs(date - Date.now()) > 2000) ahead = date - Date.now();
  };
  const tell = () => {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll('time[datetime]')) {
      const at = Date.parse(time.dateTime);
      const text = relative(at, now);
      if (!Number.isNaN(at) && time.textContent !== text) time.textContent = text;
    }
  };

  // `/` leads to the first filter.
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, select, textarea');
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = document.querySelector('form.filters input');
    if (field) { event.preventDefault(); field.focus(); }
  });
  // A form is sent once.
  document.addEventListener('submit', (event) => {
    if (event.target.method !== 'post') return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = '1';
  });
  addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  });
  // What was done is said once: not again when the page is loaded anew, or come back to.
  const address = new URL(location.href);
  if (address.searchParams.has('did')) {
    address.searchParams.delete('did');
    history.replaceState(null, '', address);
  }
  tell();
  setInterval(() => { if (!document.hidden) tell(); }, TICK);
  // A page that asks something stays as it is until it is answered.
  if (!live || !main().dataset.mark || main().querySelector('form[method=post]')) return;

  let mark = main().dataset.mark, pause = PAUSE, timer = 0, asking = false, told = false;
  let on = sessionStorage.getItem('live') !== 'off';
  const show = (state) => {
    live.hidden = false;
    live.setAttribute('aria-pressed', String(on));
    live.textContent = !on ? 'Paused' : state === 'away' ? 'Not reachable' : state === 'held' ? 'Held' : 'Live';
    live.dataset.is = state || '';
  };
  // Nothing is taken away from under somebody's hands.
  const isBusy = () => {
    const at = document.activeElement;
    const picked = getSelection();
    return (at && at.closest('main input, main select, main textarea'))
      || [...main().querySelectorAll('input, textarea')].some((it) => it.value !== it.defaultValue)
      || [...main().querySelectorAll('option')].some((it) => it.selected && it.closest('form') && !it.defaultSelected
        && [...it.parentNode.options].some((other) => other.defaultSelected))
      || (picked && !picked.isCollapsed && main().contains(picked.anchorNode));
  };
  const texts = () => [...main().querySelectorAll('pre')];
  const place = (element) => element && main().contains(element)
    ? { id: element.id, href: element.getAttribute('href'), text: element.textContent, pre: texts().indexOf(element) } : null;
  const find = (was) => {
    if (!was) return null;
    if (was.pre >= 0) return texts()[was.pre];
    const same = [...main().querySelectorAll('a, button')].filter((it) => it.getAttribute('href') === was.href);
    // The text of a link may be a time, which goes on.
    return was.id && document.getElementById(was.id) || same.find((it) => it.textContent === was.text) || was.href && same[0];
  };
  const put = (html) => {
    const page = new DOMParser().parseFromString(html, 'text/html');
    const next = page.getElementById('main');
    if (!next || !next.dataset.mark) { location.reload(); return; }
    const was = place(document.activeElement);
    const notice = main().querySelector('.notice[role=status]');
    const scrolled = texts().map((it) => it.scrollTop);
    // What was done is said until something else happens.
    if (notice && !told && !next.querySelector('.notice')) { next.prepend(notice); told = true; }
    main().replaceWith(document.adoptNode(next));
    texts().forEach((it, place) => { it.scrollTop = scrolled[place] || 0; });
    const found = find(was);
    if (found) found.focus({ preventScroll: true });
    tell();
  };
  const ask = async () => {
    if (!on || document.hidden || asking) return;
    // What came would not be shown.
    if (isBusy()) { show('held'); next(); return; }
    asking = true;
    const began = performance.now();
    try {
      const response = await fetch(location.href, {
        cache: 'no-store', headers: { accept: 'text/html', 'if-none-match': mark }, redirect: 'manual',
      });
      heard(response);
      if (response.status === 401 || response.status === 404 || response.type === 'opaqueredirect') { location.reload(); return; }
      if (response.status === 200 && !isBusy()) {
        const html = await response.text();
        if (on && !document.hidden && !isBusy()) {
          put(html);
          mark = response.headers.get('etag');
        }
      } else if (response.status >= 400) throw new Error(response.status);
      // What takes long is asked for less often.
      pause = Math.min(Math.max(PAUSE, 20 * (performance.now() - began)), LONGEST);
      show('');
    } catch {
      pause = Math.min(pause * 2, LONGEST);
      show('away');
    } finally {
      asking = false;
      next();
    }
  };
  const next = () => {
    clearTimeout(timer);
    if (on && !document.hidden) timer = setTimeout(ask, pause);
  };
  live.addEventListener('click', () => {
    on = !on;
    sessionStorage.setItem('live', on ? 'on' : 'off');
    show('');
    if (on) ask(); else clearTimeout(timer);
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) clearTimeout(timer); else { tell(); ask(); }
  });
  show('');
  next();
})();
