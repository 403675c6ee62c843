"""Texts of the OpenAPI document about the API as a whole and about its groups of operations."""

DESCRIPTION = """
Send a free low-resolution GeoTIFF. Loupe tells you which of the sixteen high-resolution patches of each tile
are worth buying and what they really cost. Upload the patches that you bought, and get labels for the scene
and a ledger of every dollar spent and saved.

    curl --data-binary @scene.tif -H 'Content-Type: image/tiff' -H 'Authorization: Bearer KEY' \\
        http://localhost:8000/v1/plans

On this page, "Authorize" takes an API key, and "Execute" sends the request to this server. A request that
orders, delivers, charges or changes a budget moves real money of the key's workspace.

* **Errors** are RFC 9457 problem documents. The `type` is an address: [/problems](/problems) lists
  all, with what to do.
* **Parameters**: a query parameter that an address does not know, and anything that is given twice, is
  refused with 422.
* **Lists** come in pages, newest first; follow the link `next` of the document or of the header `Link`.
* **Transfer**: a GET has an `ETag`, and `If-None-Match` with it answers 304 while nothing changed; long
  answers are compressed for `Accept-Encoding: gzip`; an upload with a `Content-Digest` is compared with it.
* **Money** is a decimal string and a currency. Times are RFC 3339 with an offset from UTC.
* **Repeating a request** is safe with the same `Idempotency-Key`: the answer is that of the first time.
"""

TAGS = [
    {"name": "plans", "description": "Patches to buy of a scene, with their cost and place."},
    {
        "name": "orders",
        "description": "Patches being bought: hold on a budget, deliveries, approval, end.",
    },
    {"name": "classification", "description": "Labels of an order's tiles, and the true labels you know."},
    {
        "name": "budgets",
        "description": "Limits on the money that orders hold and spend, with their terms.",
    },
    {"name": "ledger", "description": "Every movement of money, refunds, later charges and closed months."},
    {"name": "proposals", "description": "Later charges and changes of terms that wait for another holder."},
    {"name": "invoices", "description": "Providers' invoices, and where they differ from the ledger."},
    {"name": "reports", "description": "Savings and spend."},
    {"name": "price-lists", "description": "Providers' products and prices: immutable, versioned."},
    {"name": "bundles", "description": "The networks that the server holds, with their evaluation."},
    {"name": "jobs", "description": "Work that is done after its request was answered."},
    {"name": "keys", "description": "API keys, their roles, lent approval and the audit log."},
    {"name": "retention", "description": "How long pixels are kept, and their deletion on request."},
    {"name": "service", "description": "Whether the server lives, is ready, and which versions it runs."},
]
"""Groups of operations, in the order in which the reference shows them."""
