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

// A click on a picture shows it alone, where a phone can enlarge it. mdBook's own enlarged picture,
// no larger on a phone, would still lie over the page when the reader comes back to it.
for (const picture of document.querySelectorAll(".content img:not(.img-wrapper img)")) {
    picture.addEventListener("click", event => {
        event.preventDefault();
        location.assign(picture.src);
    });
}

// A line may end before an option such as --backlog, but not between its dashes. (Nothing is
// replaced within a tag.)
const places = ".content td, .content :not(pre) > code, .terminal .command, .terminal .prose";
for (const place of document.querySelectorAll(places)) {
    place.innerHTML = place.innerHTML.replace(
        /(^|[\s`"'(>])(-[\w-]{1,30})(?![^<]*>)/g,
        "$1<span class=option>$2</span>",
    );
}
