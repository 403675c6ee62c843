"""Titles, sentences and phrases with which the pages replace those of the API."""

# ruff: noqa: E501  (one phrase a line)

import re
from collections.abc import Mapping

CODES: Mapping[str, tuple[str, str]] = {
    "unauthenticated": (
        "You are signed out",
        "Load the page again, sign in, and send the form once more.",
    ),
    "idempotency-key-in-flight": (
        "This form is still being worked on",
        "The first click is being carried out, and nothing is done twice. Wait a moment, then open the list: it shows what came of it.",
    ),
    "idempotency-key-reused": (
        "This form was sent before with other entries",
        "The first entries are kept. Load the page again, and fill in the form once more.",
    ),
    "no-such-route": (
        "There is no such page",
        "The address is incomplete, or the page has moved. The overview leads to every view.",
    ),
    "method-not-allowed": (
        "This address is not a page",
        "It only takes a form. Nothing was changed. Open the page again, and send the form there.",
    ),
    "internal-error": (
        "Something went wrong on the server",
        "Nothing you did is at fault. Try again. If it happens again, give the number of the request below to the operator of the server, whose log has the cause under it.",
    ),
    "malformed-request": (
        "The form could not be read",
        "It did not arrive whole. Load the page again, and send the form once more.",
    ),
    "not-acceptable": (
        "This address is not a page",
        "It sends a file. Download it with the link on its page.",
    ),
}
"""Title and sentence of errors whose own sentence is about requests, by code."""

LABELS: Mapping[str, str] = {
    "from": "From",
    "to": "Until",
    "by": "Group by",
    "text": "Name, tag, id or owner",
    "form_key": "Hidden key",
    "form_token": "Hidden token",
    "cursor": "Page",
}
"""Fields and filters as the pages label them; others are labelled with their own name."""

_REPLAN = r"POST /v1/plans/\S+?/replan"
PHRASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"(a bundle with guarantees): GET /v1/bundles\.", r"\1: the page Models lists them."),
        (r"GET /v1/bundles\.", "the form of a new plan lists them."),
        (r"\. GET /v1/bundles", ". The form of a new plan"),
        (r"GET /v1/bundles", "the form of a new plan"),
        (r"GET /v1/price-lists", "The form of a new plan"),
        (r"GET /v1/orders/\S+ lists", "The page of the order lists"),
        (r"GET /v1/jobs \(`loupe jobs list`\)", "`loupe jobs list`"),
        (r"POST /v1/ledger/adjustments", "`loupe ledger adjust`"),
        (
            r" by another key: POST /v1/orders/\S+/approval\.",
            " by another holder, who decides on the page of the order.",
        ),
        (
            r"Send the patches with accept_late=true \(`loupe deliver --late`\) to hold",
            "Tick the box about late patches to hold",
        ),
        (r"send them with accept_late=true \(`loupe deliver --late`\)", "tick the box about late patches"),
        (
            r"Send it again with accept_price=true \(`loupe deliver --accept-price`\)",
            "Send it again with `loupe deliver --accept-price`",
        ),
        (
            r"Send each with the provider's price, 0 if it is free: PUT /v1/orders/.*\(`loupe deliver --late --price 12\.34`\)",
            "Send each with the provider's price, 0 if it is free: `loupe deliver --late --price 12.34`",
        ),
        (r"send `accept_unlike=true`", "tick the box about patches that do not resemble the scene"),
        (
            r"send accept_unlike=true \(loupe deliver --accept-unlike\)",
            "tick the box about patches that do not resemble the scene",
        ),
        (
            r"accept_unlike=true \(loupe deliver --accept-unlike\)",
            "the box about patches that do not resemble the scene ticked",
        ),
        (r"accept_unlike was set", "the box about patches that do not resemble the scene was ticked"),
        (rf"Plan the scene again with {_REPLAN}", "Plan it again on the page What if of the plan"),
        (rf"Re-plan with {_REPLAN} \(`loupe replan \S+`\)", "Plan it again on the page What if of the plan"),
        (r", re-plan with reuse=none", ", plan the scene again with owned ground bought again"),
        (r"was made with reuse=none", "was made to buy owned ground again"),
        (
            r"(Send the (?:scene|file) again) with POST /v1/plans \(`loupe plan`\)",
            r"\1 with the form Plan a scene",
        ),
        (r"Open one with POST /v1/budgets\.", "Open one on the page Budgets."),
        (
            r"The budget is at version (\d+) now\. Read it again before you change it\.",
            r"Version \1 is in force now. Fields that you had not changed show the present terms. Look at all of them, and send the form again.",
        ),
        (
            r"A budget of this workspace has approval_above, so a new one opens with an approval_above of ([^:]+): its orders then need another holder\. Send that, and change it afterwards",
            r"Another budget of the workspace needs a second key, so a new one opens with \1: another holder approves each of its orders. Write 0, and change it afterwards",
        ),
        (r"Name one of them as `budget`", "Choose one of them in the field Budget that pays"),
        (r"Give a max_cost", "Give an amount as the limit"),
        (r"\(DELETE /v1/\S+, `loupe pixels delete`\)", "(`loupe pixels delete`)"),
        (r" \(LOUPE_WORKSPACE_GIB\)", ""),
        (r", or POST /v1/keys\)", ")"),
        (
            r"send allow_partial=true \(`loupe classify ORDER [^`]*`\)",
            "tick the box about the patches that came so far",
        ),
        (r"or state with `radiometry` how its numbers are to be read", "or convert it to 8 bits a band"),
        (r"check bands= and radiometry=, ", ""),
        (r"\b([Ss])end radiometry=(?=\w)", r"\1end it with the pixel values "),
        (r"\bwith radiometry= \(", "in the field Pixel values ("),
        (r"\bwith radiometry=\.", "with `loupe deliver --radiometry`."),
        (
            r"\bstate radiometry= for the file",
            "state with `loupe deliver --radiometry` what the numbers mean in the file",
        ),
        (r"Set radiometry= to override them", "State the pixel values to override them"),
        (r" \((?:bands|radiometry)=\)", ""),
        (r"\bradiometry=(?=\w)", "the pixel values "),
        (r"\b(of the file) with bands=R,G,B", r"\1 with `loupe deliver --bands R,G,B`"),
        (r"\bwith bands=R,G,B, such as bands=", "in the field Red, green and blue band, such as "),
        (r"\bwith bands=R,G,B", "in the field Red, green and blue band"),
        (r"\bbands=(?=\S+ is not)", ""),
        (r"\bWrite bands=R,G,B, such as bands=", "Write one for each colour, such as "),
        (
            r"Send an Idempotency-Key header; this request spends money",
            "The form has no key. Load the page again, and send it once more",
        ),
        (
            r"This cursor was made for (.+?\.) Leave it out to begin at the first page, then .+?\.",
            r"The page of this address was made for \1 Open the list again, and go on from its first page.",
        ),
        (r'An amount is a text like "12\.50": at most', "Write an amount such as 12.50: at most"),
        (r"Send the request again", "Try again"),
        (r"Send it again in a moment", "Try again in a moment"),
        (r"`", ""),
    )
)
"""Words of the page for phrases of the API. Commands stay where no page does the step."""
