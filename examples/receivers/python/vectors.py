"""Runs the shared vectors: `python3 vectors.py [file]`."""

import base64
import json
import pathlib
import sys

from revtain_webhook import verify_plain, verify_standard

DEFAULT = pathlib.Path(__file__).resolve().parents[3] / "test" / "contract" / "signature-vectors-receiver.json"


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    vectors = json.loads(path.read_text(encoding="utf-8"))["vectors"]
    failed = 0
    for vector in vectors:
        body = base64.b64decode(vector["bodyBase64"])
        if vector["scheme"] == "standard":
            verified = verify_standard(body, vector["headers"], vector["secrets"], vector["now"])
        else:
            verified = verify_plain(body, vector["headers"], vector["secrets"])
        passed = verified == (vector["expected"] == "verified")
        failed += 0 if passed else 1
        sys.stdout.buffer.write(f"{'pass' if passed else 'FAIL'} {vector['name']}\n".encode())
    print(f"{len(vectors) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


sys.exit(main())
