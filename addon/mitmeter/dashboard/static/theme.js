// Light or dark, before the first paint; without a choice the system decides. No module: modules come after the paint.
{
  const KEY = "mitmeter.theme";
  const root = document.documentElement;
  const kept = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  if (kept() === "dark" || kept() === "light") root.dataset.theme = kept();
  globalThis.switchTheme = () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // Without storage the choice lasts until the page is left.
    }
  };
}
