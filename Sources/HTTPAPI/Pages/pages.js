// The pages of people: they join, sign in, choose a new password, sign up. Each form says where it is posted to; what the
// server answers says which form is next. Nothing that comes from outside becomes markup, and no secret becomes part of an
// address: that of an invitation stands behind `#`, is taken out of there at once, and goes on in a body.
"use strict";

(() => {
    const words = {
        code_over: "This code is over. Begin again to get another one.",
        code_refused: "This is not the code of the mail. Look again.",
        invalid_account_name: "A name has 1 to 80 characters, no link, no telephone number, and none of : / @ \\ < >.",
        invalid_user_address: "This is no email address.",
        invalid_user_name: "A name has 1 to 100 characters.",
        invitation_over: "This invitation is used, taken back or too old. Ask for another one.",
        no_installation_mail: "This server sends no mail. Ask whoever runs it for a new password.",
        origin_refused: "This page was opened under another address than the server's own.",
        password_too_common: "This password is among the first that are tried. Choose another one.",
        password_too_long: "This password is too long: 72 characters at most, fewer with special ones.",
        password_too_short: "This password is too short: 12 characters at least.",
        password_unreadable: "This password has characters that no keyboard types.",
        second_factor_refused: "This is not a code that can still be used. Wait for the next one.",
        sign_in_busy: "Many people are signing in at this moment. Try again in some seconds.",
        sign_in_refused: "There is no user with this address and this password.",
        sign_in_step_over: "That took too long. Sign in again.",
        sign_up_closed: "Nobody can sign up here: whoever runs this server makes the accounts.",
        too_many_codes: "Too many codes were wrong. Use a recovery code.",
        too_many_sign_ins: "Too many attempts have failed.",
        too_many_sign_ups: "Too many people have asked for an account.",
        too_many_users: "The account has as many people as it may have.",
        user_address_taken: "Somebody signs in with this address already.",
    };
    const beginAgain = ["code_over", "sign_in_step_over"];

    // Neither the history of the browser nor who looks at the screen is to have it.
    const secret = location.hash.slice(1);
    if (secret) history.replaceState(null, "", location.pathname);
    // Another link that is opened here only changes what stands behind `#`, and needs the page anew.
    addEventListener("hashchange", () => location.reload());

    const page = document.querySelector("main");
    const problem = document.getElementById("problem");
    const parts = [...page.querySelectorAll("form, section")];

    function show(id) {
        for (const part of parts) part.hidden = part.id !== id;
        problem.hidden = true;
        parts.find(part => part.id === id)?.querySelector("input, button, a")?.focus();
    }

    function tell(text) {
        problem.textContent = text;
        problem.hidden = false;
    }

    async function call(method, path, body, fields) {
        const answer = await fetch(path, {
            method, headers: { ...(body && { "Content-Type": "application/json" }), ...fields },
            body: body && JSON.stringify(body), cache: "no-store", redirect: "error",
        });
        const text = await answer.text();
        return { status: answer.status, wait: Number(answer.headers.get("Retry-After")), ...(text && JSON.parse(text)) };
    }

    function tellProblem(answer) {
        const wait = answer.wait > 60 ? ` Try again in ${Math.ceil(answer.wait / 60)} minutes.` : "";
        if (beginAgain.includes(answer.code)) show(parts[0].id);
        tell((words[answer.code] ?? answer.detail ?? "The server did not understand.") + wait);
    }

    function goOn(answer) {
        if (answer.status === 201) location.replace("/sign-in");
        else if (answer.status === 204) show("done");
        else if (answer.status === 202) show(answer.second_factor ? "second-factor" : "code");
        else tellProblem(answer);
    }

    /// Runs what a button is for, once at a time.
    async function run(part, work) {
        const button = part.querySelector("button:not([type=button])");
        if (button.disabled) return;
        button.disabled = true;
        problem.hidden = true;
        try {
            await work();
        } catch {
            tell("The server cannot be reached. Try again.");
        }
        button.disabled = false;
    }

    function members(form) {
        const given = [...new FormData(form)].filter(([, value]) => value !== "");
        return { ...(form.id === "join" && { secret }), ...Object.fromEntries(given) };
    }

    for (const form of page.querySelectorAll("form")) {
        form.addEventListener("submit", event => {
            event.preventDefault();
            run(form, async () => goOn(await call("POST", form.dataset.post, members(form))));
        });
    }
    for (const other of page.querySelectorAll("button[data-show]")) {
        other.addEventListener("click", () => show(other.dataset.show));
    }

    /// Whoever has signed in is told so, and may sign out.
    async function begin() {
        const session = await call("GET", "/v1/session");
        if (session.status !== 200) return show(parts[0].id);
        const inside = document.getElementById("inside");
        document.getElementById("who").textContent = session.email;
        document.getElementById("role").textContent = session.role;
        inside.querySelector("button").addEventListener("click", () => run(inside, async () => {
            const answer = await call("DELETE", "/v1/session", null, { "X-CSRF-Token": session.csrf_token });
            if (answer.status === 204) location.reload();
            else tellProblem(answer);
        }));
        show("inside");
    }

    if (page.id === "sign-in-page") {
        begin().catch(() => tell("The server cannot be reached. Try again."));
    } else if (page.id === "join-page" && !secret) {
        tell("The link is not complete. Open it from the mail again.");
    } else {
        show(parts[0]?.id);
    }
})();
