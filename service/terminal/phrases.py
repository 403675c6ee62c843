"""Titles, sentences and phrases with which the commands replace those of the API."""

# ruff: noqa: E501  (one phrase a line)

from collections.abc import Mapping

from service.web.rewording import phrases

_VERSIONS = (
    "This server does not know the command",
    "Its version differs from yours. Compare `loupe --version` here and on the machine of the server, and check --url.",
)
_REPEATED = (
    "The same command is still being carried out",
    "The server works on it, and nothing is done twice. Look in a moment what came of it before you repeat it.",
)
CODES: Mapping[str, tuple[str, str]] = {
    "unauthenticated": (
        "The server does not accept the API key",
        "It is mistyped, was revoked, or another server made it. Set LOUPE_API_KEY or --api-key to another one, or choose another --profile; "
        "`loupe keys create NAME` on the server's machine makes a key.",
    ),
    "no-such-route": _VERSIONS,
    "method-not-allowed": _VERSIONS,
    "not-acceptable": _VERSIONS,
    "idempotency-key-missing": _VERSIONS,
    "idempotency-key-invalid": _VERSIONS,
    "idempotency-key-in-flight": _REPEATED,
    "idempotency-key-reused": _REPEATED,
}
"""Title and sentence of errors whose own sentence is about requests, by code."""

_METHOD = r"(?:GET|POST|PUT|PATCH|DELETE) /v1/"
PHRASES = phrases(
    (
        # Commands write shares as Python does; pages and the API with a blank.
        (r"(\d) %", r"\1%"),
        (
            r"An id is a UUID of 36 characters, as lists and answers show it",
            "An id has 36 characters, as lists show it, and its first six or more are enough",
        ),
        # An address or a parameter beside its command: the command stays.
        (rf"\({_METHOD}\S+, (`loupe [^`]+`)\)", r"(\1)"),
        (rf"{_METHOD}[^\s(]+ \(`?(loupe [^`)]+)`?\)", r"`\1`"),
        (r"\b[Ss]end `?\w+=true`? \(`?(loupe [^`)]+)`?\)", r"use `\1`"),
        (r"`?\w+=true`? \(`?(loupe [^`)]+)`?\)", r"`\1`"),
        (r"allow_last=true \(`--last`[^)]*\)", "`--last`"),
        # An address alone.
        (r"GET /v1/bundles lists\b", "`loupe bundles list` shows"),
        (r"GET /v1/bundles", "`loupe bundles list`"),
        (r"GET /v1/price-lists lists\b", "`loupe prices list` shows"),
        (r"GET /v1/keys lists holders", "`loupe keys list` shows holders, on the server's machine"),
        (r"GET /v1/orders/(\S+) lists\b", r"`loupe orders show \1` shows"),
        (r"POST /v1/orders/(\S+?)/approval", r"`loupe approve \1`"),
        (r"POST /v1/plans/(\S+?)/replan", r"`loupe replan \1`"),
        (r"POST /v1/ledger/adjustments", "`loupe ledger adjust`"),
        (r"POST /v1/budgets", "`loupe budget create NAME AMOUNT CURRENCY`"),
        (r"POST /v1/plans\b", "`loupe plan`"),
        (r", or POST /v1/keys\)", ")"),
        # Parameters and members.
        (r"[Ss]end `?accept_unlike=true`?", "use `loupe deliver --accept-unlike`"),
        (r"accept_unlike was set", "--accept-unlike was given"),
        (r"Name one of them as `budget`", "Name one of them with --budget"),
        (r"\bbands=(?=\S)", "--bands "),
        (r"\bbands=", "--bands"),
        (r"\bSend radiometry=(?=\w)", "Use --radiometry "),
        (r"\bsend radiometry=(?=\w)", "use --radiometry "),
        (r"\bradiometry=(?=\w)", "--radiometry "),
        (r"\bradiometry=|`radiometry`", "--radiometry"),
        (r"\breuse=(?=\w)", "--reuse "),
        (r"\bguarantee=(?=\w)", "--guarantee "),
        (r"Send such a time as expires_at", "Give such a time with --expires"),
        (r"Send that, and change it", "Give that, and change it"),
        (r"(?:\ba )?`?\bmax_cost\b`?", "--max-cost"),
        (r"`?\bmax_patches\b`?", "--max-patches"),
        (r"`?\btarget_accuracy\b`?", "--target-accuracy"),
        (r"`?\bworth_each\b`?", "--worth-each"),
        (r"`?\bgroup_by\b`?", "--group-by"),
        (r"`?\bapproval_above\b`?", "--approval-above"),
        (r"`measured` is what", "The measured accuracy is what"),
        (r"for `random` with patches", "for random patches with those"),
        (r"`expected` follows", "What is expected follows"),
        # Requests and bodies.
        (r"The body is too large; this request may send", "The file is too large; it may have"),
        (r"\bThe(?: request)? body\b", "The file"),
        (r"Send them in several requests", "Give them in several files"),
        (r"\bthe limit for this request\b", "its limit"),
        (r"\bfor this request\b", "for this command"),
        (r"The request asks for", "You asked for"),
        (r"Send the request again", "Run the command again"),
        (r"Send the request to the address", "Set --url to the address"),
        (r"Send it again in", "Run the command again in"),
        (r"The server's log has the cause under this request id\. ", "The server's log has the cause. "),
    )
)
"""Words of the commands for phrases of the API."""
