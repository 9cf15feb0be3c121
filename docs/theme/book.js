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

// A click on a picture shows it alone, where a phone can enlarge it.
for (const picture of document.querySelectorAll(".content img")) {
    picture.addEventListener("click", () => location.assign(picture.src));
}
