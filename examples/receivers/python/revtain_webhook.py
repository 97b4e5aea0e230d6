"""Checks Revtain's webhooks with nothing but Python 3.8 and its standard library. Copy this file."""

import base64
import hashlib
import hmac
import math
import re
import time

TOLERANCE_SECONDS = 300


def verify_standard(body, headers, secrets, now=None):
    """The dated Standard Webhooks signature. True when one of the secrets signed these bytes within five minutes.

    `body` is the raw body as bytes (Flask: request.get_data(), Django: request.body): never parse it first.
    `now` is in seconds since 1970.
    """
    moment = time.time() if now is None else now
    event_id = _header(headers, "webhook-id")
    timestamp = _header(headers, "webhook-timestamp")
    given = _header(headers, "webhook-signature").split(" ")
    if not event_id or "." in event_id or not re.fullmatch(r"[0-9]{1,12}", timestamp):
        return False
    if abs(math.floor(moment) - int(timestamp)) > TOLERANCE_SECONDS:
        return False

    signed = f"{event_id}.{timestamp}.".encode() + body
    for secret in secrets:
        key = _key(secret.strip())
        if key is None:
            continue
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if any(_is_same(each, f"v1,{mac}") for each in given):
            return True
    return False


def verify_plain(body, headers, secrets):
    """The plain X-Revtain-Signature. It has no date: remember the ids of events, or an old copy is taken again."""
    given = _header(headers, "x-revtain-signature")
    keys = [secret.strip().encode() for secret in secrets if secret.strip()]
    return any(_is_same(given, hmac.new(key, body, hashlib.sha256).hexdigest()) for key in keys)


def _key(secret):
    # The key is what the part after whsec_ encodes. Python's decoder skips what is no base64, so look first.
    if not re.fullmatch(r"whsec_[A-Za-z0-9+/]+={0,2}", secret):
        return None
    text = secret[len("whsec_") :].rstrip("=")
    if len(text) % 4 == 1:
        return None
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _header(headers, name):
    for key, value in headers.items():
        if key.lower() == name:
            return value.strip()
    return ""


def _is_same(given, expected):
    # Compares the texts: a decoder would take several spellings of one signature.
    return hmac.compare_digest(given.encode(), expected.encode())
