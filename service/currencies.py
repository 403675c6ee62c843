"""Currencies of ISO 4217 with the decimals of their minor units. Pure.

The table is list one of ISO 4217 as SIX Group, its maintenance agency, published it on 2026-01-01:
https://www.six-group.com/dam/download/financial-information/data-center/iso-currrency/lists/list-one.xml
"""

from service.errors import InvalidInputError

_CODES_BY_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
        CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
        HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK
        MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD
        RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
        USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DECIMALS = {code: decimals for decimals, codes in _CODES_BY_DECIMALS.items() for code in codes.split()}
# Gold, funds, tests: the list gives them no minor unit ("N.A."), so an amount has no smallest part.
_WITHOUT_MINOR_UNIT = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX"
# Codes that left the list after 2015. What was stored in one stays readable; nothing new is taken in one.
_RETIRED = {
    "ANG": "XCG", "BGN": "EUR", "BYR": "BYN", "CUC": "CUP", "HRK": "EUR", "MRO": "MRU", "SLL": "SLE",
    "STD": "STN", "VEF": "VES", "ZWL": "ZWG",
}  # fmt: skip
_USUAL_DECIMALS = 2
USABLE = tuple(sorted(_DECIMALS))
"""Codes of the currencies in which amounts can be sent."""


class CurrencyUnknownError(InvalidInputError):
    """A currency in which no amount can be sent."""

    code = "currency-unknown"
    title = "The currency cannot be used"


def decimals_of(currency: str) -> int:
    """Return the number of decimals of the currency's minor unit (UYI 0, USD 2, KWD 3, CLF 4).

    A code that is not in the list has 2: it was stored before codes were checked.
    """
    return _DECIMALS.get(currency, _USUAL_DECIMALS)


def check_currency(code: str) -> str:
    """Return the code; CurrencyUnknownError unless ISO 4217 lists it as a currency with a minor unit."""
    if code in _DECIMALS:
        return code
    if code in _WITHOUT_MINOR_UNIT.split():
        reason = f"{code} is in ISO 4217 but has no minor unit, so no amount can be kept in it."
    elif code in _RETIRED:
        reason = f"{code} is no longer in ISO 4217. Use {_RETIRED[code]}."
    elif code.upper() in _DECIMALS:
        reason = f"Currency codes are written in capitals. Use {code.upper()}."
    else:
        reason = f"{code[:20]!r} is not a currency of ISO 4217. Use a code such as USD, EUR or JPY."
    raise CurrencyUnknownError(reason, currency=code[:20])
