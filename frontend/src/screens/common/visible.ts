/** Calls run every so many milliseconds while the window can be seen, never twice at once; returns the stop. */
export function whileVisible(every: number, run: () => Promise<unknown>): () => void {
  let busy = false;
  const turn = async (): Promise<void> => {
    if (busy || document.visibilityState === 'hidden') return;
    busy = true;
    try {
      await run();
    } finally {
      busy = false;
    }
  };
  const now = (): void => void turn();
  const id = setInterval(now, every);
  document.addEventListener('visibilitychange', now);
  return () => {
    clearInterval(id);
    document.removeEventListener('visibilitychange', now);
  };
}
