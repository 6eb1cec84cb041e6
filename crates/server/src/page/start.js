const ended = (message) => {
  const frame = document.getElementById("frame");
  frame.className = "ended";
  frame.querySelector("[role=status]").textContent = message;
};
import(SCRIPT).then(async (module) => {
  await module.default({ module_or_path: MODULE });
  module.mount();
  document.getElementById("frame").remove();
}).catch((failure) => {
  console.error(failure);
  ended("The page could not be loaded. Check the connection and reload.");
});
