"""Secrets inside a text: found by their shape, and replaced by a marker that keeps every line where it is.

Only shapes that hardly anything else has: key blocks, tokens with a prefix of their issuer, passwords in URLs. Neither
entropy nor names of variables decide, which are wrong more often than right in source.

The shapes follow what the issuers write about their tokens; the plugins of detect-secrets 1.5 were read beside them. A
table of our own, for detect-secrets looks at every line with every plugin: 0.8 s of processor time a megabyte without
its keyword plugin, 1.5 s with it (cargo's tree), where a first index takes some 0.5 s for everything. This one takes
0.012 s, as each pattern begins with letters or a sign that ``re`` can look for quickly, and asks afterwards what must
not stand before. In 152 MB of open source it found 23 secrets in 19 files: 13 key blocks, a web token, and 9 passwords
in URLs, of which 2 were none and the others made up for tests and documents. Assignments to a name like ``password``
were tried there and left out: of 50 of the 188 strings found, 3 looked like secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

REDACTION = "1"
"""Version of the table. When it changes, stored contents are looked through again."""

Span = tuple[int, int, str]
"""Start, end and kind."""


class _Token(NamedTuple):
    """A family of tokens. What is replaced is the group of a match, all of it where there is none."""

    kind: str
    pattern: re.Pattern[str]
    gate: re.Pattern[str] | None = None
    """Cheaper, and found in every text that the pattern is found in."""


def _token(kind: str, pattern: str, gate: str = "") -> _Token:
    return _Token(kind, re.compile(pattern), re.compile(gate) if gate else None)


_ASSIGNED = r"""["']?\s{0,4}(?:=>|:=|[:=,])\s{0,4}["']?([\w/+]{40})(?![\w/+=])"""
# Each begins with letters that are rare together, or with a sign that a long run must follow: what stands before it is
# asked last.
_TOKENS = (
    _token(
        "cloud key",
        r"A((?<!\w.)(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![\w+/=])"  # Amazon
        r"|(?<!\w.)Iza[\w-]{35}(?![\w-])"  # Google
        r"|GE-SECRET-KEY-1[A-Z0-9]{58})",  # age
    ),
    _token("cloud key", r"ecret_?[Aa]ccess_?[Kk]ey" + _ASSIGNED),  # Amazon
    _token("cloud key", r"ECRET_ACCESS_KEY" + _ASSIGNED),
    _token("cloud token", r"IQoJb3JpZ2lu[A-Za-z0-9+/=]{80,}"),  # Amazon's sessions
    _token(
        "cloud key",  # Azure's storage, service bus and signed URLs; package registries
        r"(?:AccountKey|SharedAccessKey|sig|_authToken)=([A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}="
        r"|(?:[A-Za-z0-9+/]|%2[bBfF]){43}%3[dD]|[\w-]{36})(?![\w+/=])",
        gate=r"=[A-Za-z0-9+/%_-]{32}",
    ),
    _token("cloud secret", r"Q~((?<=[\w.~-]{3}\dQ~)[\w.~-]{31,34})(?![\w.~-])"),  # Azure's applications
    _token(
        "token",
        # GitHub; registries; Stripe
        r"(?<![A-Za-z0-9])(?:gh[opsru]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"
        r"|npm_[A-Za-z0-9]{36}|rubygems_[0-9a-f]{48}"
        r"|[rs]k_(?:live|test)_[A-Za-z0-9]{24,247}|whsec_[A-Za-z0-9+/]{32,}=?"
        # Hugging Face, Groq, Replicate; DigitalOcean, Shopify; Linear, Supabase, Grafana
        r"|hf_[A-Za-z0-9]{34,40}|gsk_[A-Za-z0-9]{52}|r8_[A-Za-z0-9]{37}"
        r"|do[opr]_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"
        r"|lin_api_[A-Za-z0-9]{40}|sbp_[0-9a-f]{40}|glsa_[A-Za-z0-9]{32}_[0-9a-f]{8})(?!\w)",
        gate=r"_[A-Za-z0-9]{22}",
    ),
    _token("token", r"dckr_[op]at_[\w-]{27,}"),  # Docker
    _token(
        "token",
        # GitLab; OpenAI, Anthropic and those that took the form over; Google, PyPI; Square, Tailscale
        r"-(?=[\w-]{20})((?:(?<=gl[dfr]t-)|(?<=gl(?:pat|ptt|cbt|imt|oas)-)|(?<=glsoat-)|(?<=glagent-))[\w.-]{20,}"
        r"|(?<=sk-)(?<![\w-]sk-)(?:(?:ant|proj|svcacct|admin|or|lf)-[\w-]{32,}|[A-Za-z0-9]{32,64}(?![\w-]))"
        r"|(?<=GOCSPX-)[\w-]{28}|(?<=pypi-)Ag[\w-]{60,}"
        r"|(?<=sq0(?:atp|csp)-)[\w-]{22,43}|(?<=tskey-)[a-z]{3,10}-\w{8,}-\w{16,})",
    ),
    _token(
        "token",
        # SendGrid, Google's sessions; Vault, Terraform; what a JSON web token says, and its signature
        r"\.(?=[\w-]{20})((?<=(?<!\w)SG\.)[\w-]{22}\.[\w-]{43}(?![\w-])|(?<=(?<!\w)ya29\.)[\w-]{30,}"
        r"|(?<=(?<!\w)hv[sbr]\.)[\w-]{24,}|(?<=\.atlasv1\.)[\w-]{60,}"
        r"|(?<=[\w-]{10}\.)eyJ[\w-]{17,}\.[\w-]{20,})",
    ),
    _token(
        "token",
        # Slack's, its apps', xAI
        r"x((?<!\w.)ox[abeoprs](?:\.xox[bp])?-(?:\d+-)+[A-Za-z0-9-]{10,}"
        r"|(?<!\w.)app-\d-[A-Z0-9]{8,}-\d+-[0-9a-f]{32,}|(?<!\w.)ai-[A-Za-z0-9]{60,})",
    ),
    _token(
        "webhook",
        # Slack, Discord
        r"/((?:(?<=slack\.com/services/)|(?<=slack\.com/workflows/)|(?<=slack\.com/triggers/))"
        r"[A-Z0-9]{8,}/[A-Z0-9]{8,}/[\w/]{16,}|(?<=api/webhooks/)\d{17,20}/[\w-]{60,})",
    ),
    _token("token", r"SK(?<!\w..)([0-9a-f]{32})(?!\w)"),  # Twilio
    _token("token", r":AA((?<=\d{8}:AA)[\w-]{33})(?![\w-])"),  # Telegram
    _token("token", r"dapi(?<!\w....)([0-9a-f]{32})(?!\w)"),  # Databricks
)

_URL = re.compile(r"""://([^\s:/?#\[\]@"'<>`{}]{0,100}):([^\s/?#@"'<>`{}]{3,200})@([\w.-]{1,253}|\[)""")
_NO_PASSWORDS = frozenset(
    {
        "password", "passwd", "passphrase", "pass", "pwd", "passw0rd", "secret", "token", "user", "username",
        "mypassword", "mypass", "yourpassword", "your-password", "your_password", "changeme", "foo", "bar", "baz",
        "foobar", "root", "admin", "test", "guest", "postgres", "mysql", "rabbitmq",
    }
)  # fmt: skip
"""What examples and local set-ups have in a password's place."""
_NO_HOSTS = re.compile(r"(?:^|\.)(?:example(?:\.\w+)?|test|invalid|localdomain)$", re.IGNORECASE)
"""Names that are nobody's (RFC 2606)."""
_VARIABLE = re.compile(r"^\$|^%\w$|^%\(|\(|^\W+$")

_KEY_BEGIN = re.compile(
    r"-----?[ ]?BEGIN ((?:[A-Z0-9]{2,12} ){0,4}PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1)[ ]?-?----"
)
_KEY_MATERIAL = re.compile(r"[A-Za-z0-9+/=]{32}")
_KEY_LINE = re.compile(r"""(?:\r?\n[ \t>*#/"'+]{0,20}(?:[A-Za-z0-9+/=]{16,}[^\w\n]{0,10}|[A-Z][\w-]+: [^\n]*|))+""")
_LONGEST_KEY = 1 << 16
_PUTTY = "Private-Lines: "
_PUTTY_LINES = re.compile(r"^Private-Lines: \d+((?:\r?\n[A-Za-z0-9+/=]{8,})+)", re.MULTILINE)
_LINE_ENDS = re.compile(r"\r?\n")
_FEW_LETTERS = 6
"""Of which a string of filling consists."""


def redact(text: str) -> tuple[str, int]:
    """A text without its secrets.

    Returns:
        The text with as many lines as before, each where it was, and how many secrets it had.
    """
    spans = sorted([*_tokens(text), *_passwords(text), *_keys(text)])
    if not spans:
        return text, 0
    parts: list[str] = []
    end = count = 0
    for start, stop, kind in spans:
        if start < end:
            # Inside another, or running out of it: what sticks out goes as well.
            parts.append("".join(_LINE_ENDS.findall(text, end, stop)))
        else:
            parts += [text[end:start], f"[redacted {kind}]", *_LINE_ENDS.findall(text, start, stop)]
            count += 1
        end = max(end, stop)
    return "".join([*parts, text[end:]]), count


def _tokens(text: str) -> Iterator[Span]:
    for kind, pattern, gate in _TOKENS:
        if gate is not None and not gate.search(text):
            continue
        for match in pattern.finditer(text):
            start, stop = match.span(pattern.groups)
            if not _is_filling(match[0]):
                yield start, stop, kind


def _is_filling(token: str) -> bool:
    """Whether it stands for a token in a text that explains: AWS's own examples end in EXAMPLE."""
    return "EXAMPLE" in token or len(set(token[-16:])) < _FEW_LETTERS


def _passwords(text: str) -> Iterator[Span]:
    for match in _URL.finditer(text):
        user, password, host = match.groups()
        plain = password.lower()
        if plain in _NO_PASSWORDS or plain == user.lower() or _VARIABLE.search(password) or len(set(plain)) == 1:
            continue
        if not _NO_HOSTS.search(host):
            yield *match.span(2), "password"


def _keys(text: str) -> Iterator[Span]:
    # The words first: looking for them costs a tenth of the expression.
    if "BEGIN " in text:
        for match in _KEY_BEGIN.finditer(text):
            stop = _key_end(text, match)
            if stop:
                yield match.start(), stop, "private key"
    if _PUTTY in text:
        for match in _PUTTY_LINES.finditer(text):
            first = _LINE_ENDS.match(text, match.start(1))
            yield first.end() if first else match.start(1), match.end(1), "private key"


def _key_end(text: str, begin: re.Match[str]) -> int:
    """Where a key ends; 0 when there is none behind its first line, as in code that reads keys."""
    after = begin.end()
    stop = text.find(f"END {begin[1]}", after, after + _LONGEST_KEY)
    again = text.find("BEGIN ", after, stop) if stop >= 0 else -1
    if stop >= 0 and again < 0:
        if not _KEY_MATERIAL.search(text, after, stop):
            return 0
        dashes = re.compile(r"[ ]?-*").match(text, stop + len("END ") + len(begin[1]))
        return dashes.end() if dashes else stop
    # Cut off: the lines that can only be a key's.
    lines = _KEY_LINE.match(text, after)
    return lines.end() if lines and _KEY_MATERIAL.search(text, after, lines.end()) else 0
