"""Which texts of a page are too faint."""

from __future__ import annotations

#: Every piece of text whose contrast with what is behind it is too low (WCAG AA).
TOO_FAINT = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).map((c) => c / 255).map((c) => (c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if ((channels(color)[3] ?? 1) === 1) return color;
    }
  };
  return [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility() && node.innerText !== undefined
      && [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim())).map((node) => {
    const style = getComputedStyle(node), size = parseFloat(style.fontSize);
    const [low, high] = [light(style.color), light(behind(node))].sort((a, b) => a - b);
    return { text: node.textContent, ratio: (high + .05) / (low + .05), needed: size >= 24 ? 3 : 4.5 };
  }).filter(({ ratio, needed }) => ratio < needed);
}"""
