"use strict";
(function () {
  var root = document.documentElement;
  var fold = document.getElementById("fold");
  var thoughts = document.querySelectorAll("details.thinking");
  function name() {
    var open = Array.prototype.some.call(thoughts, function (thought) { return thought.open; });
    fold.textContent = open ? "Fold all thinking" : "Unfold all thinking";
    return open;
  }
  fold.hidden = thoughts.length === 0;
  fold.addEventListener("click", function () {
    var open = name();
    thoughts.forEach(function (thought) { thought.open = !open; });
    name();
  });
  thoughts.forEach(function (thought) { thought.addEventListener("toggle", name); });
  document.getElementById("theme").addEventListener("click", function () {
    var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
})();
