// Lays the chosen theme on before the first paint; without a choice the system decides.
try {
  const theme = localStorage.getItem('xenweb-theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage may be forbidden; the system's theme then stands.
}
