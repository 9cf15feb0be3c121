// A click on a command in a terminal copies it, without the prompt and what it prints.
for (const command of document.querySelectorAll(".terminal .command")) {
    command.title = "Click to copy";
    command.addEventListener("click", async () => {
        if (!navigator.clipboard || !getSelection().isCollapsed) return;
        await navigator.clipboard.writeText(command.textContent);
        command.classList.add("copied");
        setTimeout(() => command.classList.remove("copied"), 600);
    });
}
