"""Personal data that is known by its shape: an opt-in set of rules, with the checks that the shapes allow."""

import re

from mitmeter.redact.rules import Rule

LUHN = "https://www.iso.org/standard/70484.html"
RFC5321 = "https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2"
IBAN = "https://www.swift.com/standards/data-standards/iban-international-bank-account-number"


def luhn(found: bytes) -> bool:
    """Say whether the digits are a card's number: ISO/IEC 7812-1, annex B."""
    digits = [sign - 48 for sign in reversed(found) if 48 <= sign <= 57]
    doubled = [digit if at % 2 == 0 else sum(divmod(digit * 2, 10)) for at, digit in enumerate(digits)]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and sum(doubled) % 10 == 0


def iban(found: bytes) -> bool:
    """Say whether the check digits of an account's number are right: ISO 13616, modulus 97."""
    plain = found.replace(b" ", b"").upper()
    return int("".join(str(int(chr(sign), 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


PII = (
    Rule(
        "email",
        rb"[A-Za-z0-9._%+-]@[A-Za-z0-9-]{1,63}\.[A-Za-z]{2}",
        0,
        re.compile(
            rb"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}+@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
        ),
        RFC5321,
        lead=130,
        reach=300,
    ),
    Rule(
        "card",
        rb"(?:^|[^0-9.A-Za-z_-])[2-6][0-9]{3}(?:[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]|[ -][0-9]{6}[ -][0-9]{5})",
        0,
        re.compile(
            rb"(?<![0-9.A-Za-z_-])[2-6][0-9]{3}(?:[0-9]{9,15}|(?: [0-9]{4}){2} [0-9]{1,7}|(?:-[0-9]{4}){2}-[0-9]{1,7}"
            rb"|[ -][0-9]{6}[ -][0-9]{5})(?![0-9A-Za-z_-]|\.[0-9])"
        ),
        LUHN,
        check=luhn,
        lead=24,
        reach=300,
    ),
    Rule(
        "iban",
        rb"(?:^|[^A-Za-z0-9])[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}",
        0,
        re.compile(rb"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"),
        IBAN,
        check=iban,
        lead=20,
        reach=300,
    ),
)
