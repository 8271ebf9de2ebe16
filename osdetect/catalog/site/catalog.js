"use strict";
// The theme is set before anything is drawn; all else waits for the page.
(function () {
  const root = document.documentElement;

  function kept(name, value) {
    try {
      if (value === undefined) return localStorage.getItem(name);
      localStorage.setItem(name, value);
    } catch (refused) {
      return null; // storage can be forbidden: then the choice lasts for this page
    }
    return value;
  }

  const chosen = kept("theme");
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function themeButton() {
    const button = document.getElementById("theme");
    const say = function () {
      button.textContent = isDark() ? "Light mode" : "Dark mode";
    };
    button.hidden = false;
    button.addEventListener("click", function () {
      root.dataset.theme = isDark() ? "light" : "dark";
      kept("theme", root.dataset.theme);
      say();
    });
    say();
  }

  function copyButtons() {
    for (const button of document.querySelectorAll("button.copy")) {
      const said = button.getAttribute("aria-label");
      button.hidden = false;
      button.addEventListener("click", async function () {
        const code = button.parentElement.querySelector("code");
        let done = "Copied";
        try {
          await navigator.clipboard.writeText(code.textContent);
        } catch (refused) {
          getSelection().selectAllChildren(code); // without a clipboard: selected, to be copied by hand
          done = "Selected";
        }
        button.textContent = done;
        button.setAttribute("aria-label", done);
        setTimeout(function () {
          button.textContent = "Copy";
          button.setAttribute("aria-label", said);
        }, 2000);
      });
    }
  }

  document.addEventListener("DOMContentLoaded", function () {
    themeButton();
    copyButtons();
  });
})();
