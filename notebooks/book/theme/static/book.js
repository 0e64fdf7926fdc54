// Dark or light as the reader chose, before anything is drawn; arrow keys turn pages; "/" searches.
(function () {
  const root = document.documentElement;
  try { const chosen = localStorage.getItem("theme"); if (chosen) root.dataset.theme = chosen; } catch (e) { /* no storage */ }
  document.addEventListener("DOMContentLoaded", function () {
    document.getElementById("theme").addEventListener("click", function () {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch (e) { /* no storage */ }
    });
  });
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.altKey || event.metaKey || /INPUT|TEXTAREA/.test(event.target.tagName)) return;
    const link = document.querySelector({ ArrowLeft: "a[rel=prev]", ArrowRight: "a[rel=next]" }[event.key] || "none");
    if (link) link.click();
    if (event.key === "/") { document.querySelector("input[type=search]").focus(); event.preventDefault(); }
  });
})();
