"""A small OpenID Connect provider on loopback: a real HTTP server with discovery, keys, sign-in and codes.

Whoever opens its sign-in page is signed in at once as `person`. It makes any token that a test asks for.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from pydantic import SecretStr

Claims = dict[str, Any]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
CLIENT = "loupe"
SECRET = "a secret/with signs+"  # noqa: S105  (of tests)


@cache
def rsa_key(_number: int = 0) -> rsa.RSAPrivateKey:
    """Make an RSA key, once for each number: that takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def published(kid: str, algorithm: str, key: PrivateKey) -> Claims:
    """Return a public key as an entry of a JWKS."""
    public: Any = key.public_key()
    kind: Any = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}[algorithm]
    entry: Claims = kind.to_jwk(public, as_dict=True)
    return entry | {"kid": kid, "use": "sig", "alg": algorithm}


class LocalIssuer:
    """A provider that can be told to fail, to rotate its keys, and whom to sign in."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[str, PrivateKey]] = {"first": ("RS256", rsa_key())}
        self.person: Claims = {"sub": "ada", "name": "Ada Lovelace"}
        self.failing: set[str] = set()
        """Paths that answer 500."""
        self.asked: Counter[str] = Counter()
        """Requests by path."""
        self.changed: Claims = {}
        """Claims that differ in the id tokens of sign-ins."""
        self._codes: dict[str, Mapping[str, str]] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.issuer = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the server; further requests are refused."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def settings(self, site: str = "http://testserver") -> Claims:
        """Return the settings of a service at `site` that trusts this issuer."""
        return {
            "oidc_issuer": self.url,
            "oidc_name": "Example Org",
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SecretStr(SECRET),
            "oidc_audience": CLIENT,
            "public_url": site,
        }

    def rotate(self, kid: str, algorithm: str, key: PrivateKey) -> None:
        """Replace every key by another one."""
        self.keys = {kid: (algorithm, key)}

    def claims(self, **changed: Any) -> Claims:
        """Return the claims of a good token for the person, with changes; None leaves a claim out."""
        now = int(time.time())
        good = {"iss": self.url, "aud": CLIENT, "iat": now - 5, "nbf": now - 5, "exp": now + 300}
        merged = good | self.person | changed
        return {name: value for name, value in merged.items() if value is not None}

    def token(self, **changed: Any) -> str:
        """Return a good token for the person, with changed claims."""
        (kid, (algorithm, key)) = list(self.keys.items())[-1]
        return jwt.encode(self.claims(**changed), key, algorithm, {"kid": kid})

    def bearer(self, **changed: Any) -> dict[str, str]:
        """Return the header with such a token."""
        return {"Authorization": f"Bearer {self.token(**changed)}"}

    def describe(self) -> Claims:
        """Return the discovery document."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
        }

    def jwks(self) -> Claims:
        """Return the public keys."""
        return {"keys": [published(kid, *pair) for kid, pair in self.keys.items()]}

    def authorize(self, query: Mapping[str, str]) -> str:
        """Sign the person in and return the address to send the browser back to."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        answer = {"code": code, "state": query["state"], "iss": self.url, "session_state": "of.the.issuer"}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def exchange(self, form: Mapping[str, str], authorization: str) -> tuple[int, Claims]:
        """Answer the token endpoint: each code once, for its client and verifier."""
        asked = self._codes.pop(form["code"], None)
        client = base64.b64encode(f"{CLIENT}:a+secret%2Fwith+signs%2B".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if authorization != f"Basic {client}":
            return 401, {"error": "invalid_client"}
        if (
            asked is None
            or asked["redirect_uri"] != form["redirect_uri"]
            or asked["code_challenge"] != challenge.rstrip(b"=").decode()
        ):
            return 400, {"error": "invalid_grant"}
        token = self.token(**{"nonce": asked["nonce"]} | self.changed)
        return 200, {"id_token": token, "access_token": "opaque", "token_type": "Bearer"}

    def answer(self, path: str) -> tuple[int, Claims]:
        """Answer a GET but the sign-in page."""
        if path in self.failing:
            return 500, {}
        match path:
            case "/.well-known/openid-configuration":
                return 200, self.describe()
            case "/jwks":
                return 200, self.jwks()
            case _:
                return 404, {}


class _Server(ThreadingHTTPServer):
    issuer: LocalIssuer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        issuer, parts = self.server.issuer, urlsplit(self.path)
        issuer.asked[parts.path] += 1
        if parts.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", issuer.authorize(_single(parts.query)))
            self.end_headers()
        else:
            self._answer(*issuer.answer(parts.path))

    def do_POST(self) -> None:
        issuer = self.server.issuer
        issuer.asked[self.path] += 1
        form = _single(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self.path in issuer.failing:
            self._answer(500, {})
        else:
            self._answer(*issuer.exchange(form, self.headers.get("Authorization", "")))

    def _answer(self, status: int, document: Claims) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the library's name)
        """Say nothing."""


def _single(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
