"""Which shapes are taken for secrets, which are not, and that every line stays where it is.

Samples are joined from parts as they are needed: no file of this repository has anything that looks like a token.
"""

import random
import string
import time
from collections.abc import Callable

import pytest

from auto_context.source import redact

WORD = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
BASE = WORD + "+/"
URL_BASE = WORD + "-_"
random_of = random.Random(7)  # noqa: S311 - samples, the same in every run


def some(alphabet: str, length: int) -> str:
    """Random characters, the first and the last of them letters or digits."""
    plain = "".join(c for c in alphabet if c.isalnum())
    middle = "".join(random_of.choices(alphabet, k=length - 2))
    return random_of.choice(plain) + middle + random_of.choice(plain)


def key(kind: str, lines: int = 6, end: str = "\n") -> str:
    label = "PRIVATE" + " KEY" + (" BLOCK" if kind == "PGP " else "")
    body = [some(BASE, 64) for _ in range(lines)] + [some(BASE, 30) + "=="]
    return end.join([f"-----BEGIN {kind}{label}-----", *body, f"-----END {kind}{label}-----"])


TOKENS: dict[str, Callable[[], str]] = {
    "aws": lambda: "AK" + "IA" + some(string.ascii_uppercase + "234567", 16),
    "aws session id": lambda: "AS" + "IA" + some(string.ascii_uppercase + "234567", 16),
    "aws session": lambda: "IQoJb3J" + "pZ2lu" + some(BASE, 200) + "==",
    "google": lambda: "AI" + "za" + some(URL_BASE, 35),
    "google session": lambda: "ya" + "29." + some(URL_BASE, 60),
    "google oauth": lambda: "GOC" + "SPX-" + some(URL_BASE, 28),
    "azure storage": lambda: "DefaultEndpointsProtocol=https;Account" + "Key=" + some(BASE, 86) + "==",
    "azure bus": lambda: "SharedAccess" + "Key=" + some(BASE, 43) + "=",
    "azure app": lambda: some(WORD, 3) + "8" + "Q~" + some(WORD + "_.", 34),
    "azure signature": lambda: "?sv=2022-11-02&sig=" + some(WORD, 43) + "%3D",
    "github": lambda: "gh" + random_of.choice("pousr") + "_" + some(WORD, 36),
    "github fine": lambda: "github" + "_pat_" + some(WORD, 22) + "_" + some(WORD, 59),
    "gitlab": lambda: "gl" + "pat-" + some(URL_BASE, 20),
    "gitlab runner": lambda: "gl" + "rt-" + some(URL_BASE, 20),
    "gitlab routable": lambda: "gl" + "pat-" + some(URL_BASE, 27) + ".01." + some(HEX, 9),
    "slack bot": lambda: "xo" + "xb-" + some(string.digits, 12) + "-" + some(string.digits, 13) + "-" + some(WORD, 24),
    "slack app": lambda: "xa" + "pp-1-A" + some(string.digits, 9) + "-" + some(string.digits, 13) + "-" + some(HEX, 64),
    "stripe": lambda: "sk" + "_live_" + some(WORD, 24),
    "stripe restricted": lambda: "rk" + "_live_" + some(WORD, 99),
    "npm": lambda: "np" + "m_" + some(WORD, 36),
    "npm legacy": lambda: "//registry.npmjs.org/:_auth" + "Token=" + "-".join(some(HEX, n) for n in (8, 4, 4, 4, 12)),
    "pypi": lambda: "pypi" + "-AgEIcHlwaS5vcmc" + some(URL_BASE, 150),
    "openai": lambda: "sk" + "-" + some(WORD, 20) + "T3Blbk" + "FJ" + some(WORD, 20),
    "openai project": lambda: "sk" + "-proj-" + some(URL_BASE, 120),
    "anthropic": lambda: "sk" + "-ant-api03-" + some(URL_BASE, 93) + "AA",
    "hugging face": lambda: "hf" + "_" + some(string.ascii_letters, 34),
    "groq": lambda: "gsk" + "_" + some(WORD, 52),
    "xai": lambda: "xa" + "i-" + some(WORD, 80),
    "web token": lambda: "ey" + "J" + some(URL_BASE, 33) + ".ey" + "J" + some(URL_BASE, 60) + "." + some(URL_BASE, 43),
    "sendgrid": lambda: "SG" + "." + some(URL_BASE, 22) + "." + some(URL_BASE, 43),
    "twilio": lambda: "S" + "K" + some(HEX, 32),
    "telegram": lambda: some(string.digits, 10) + ":A" + "A" + some(URL_BASE, 33),
    "digitalocean": lambda: "dop" + "_v1_" + some(HEX, 64),
    "shopify": lambda: "shp" + "at_" + some(HEX, 32),
    "docker": lambda: "dckr" + "_pat_" + some(URL_BASE, 27),
    "vault": lambda: "hv" + "s." + some(URL_BASE, 24),
    "terraform": lambda: some(WORD, 14) + ".atlas" + "v1." + some(URL_BASE, 67),
    "databricks": lambda: "da" + "pi" + some(HEX, 32),
    "linear": lambda: "lin" + "_api_" + some(WORD, 40),
    "square": lambda: "sq0" + "csp-" + some(URL_BASE, 43),
    "tailscale": lambda: "tskey" + "-auth-" + some(WORD, 12) + "-" + some(WORD, 32),
    "age": lambda: "AGE-SECRET" + "-KEY-1" + some("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "slack hook": lambda: "https://hooks.slack.com" + "/services/T01AB23CD/B0" + some("AB12", 9) + "/" + some(WORD, 24),
    "discord hook": lambda: "discord.com/api" + "/webhooks/" + some(string.digits, 18) + "/" + some(URL_BASE, 68),
}  # fmt: skip


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize("around", ["{}", "key = '{}'", "{}\n", "  key: {}\r\n", "f({}, 1)", '{{"key":"{}"}}'])
def test_tokens(name: str, around: str) -> None:
    for _ in range(5):
        token = TOKENS[name]()
        text, count = redact(around.format(token))
        assert count == 1
        # Of the random part nothing is left.
        assert token[-20:] not in text
        assert token[-9:] not in text
        assert "[redacted " in text
        before, after = around.format("\0").split("\0")
        assert text.startswith(before)
        assert text.endswith(after)


@pytest.mark.parametrize(
    "assigned",
    ["aws_secret_access_key = {}", '"SecretAccessKey": "{}"', "AWS_SECRET_ACCESS_KEY={}", "secretAccessKey: '{}',"],
)
def test_the_secret_of_an_access_key_is_known_by_its_name(assigned: str) -> None:
    secret = some(BASE, 40)
    assert redact(assigned.format(secret)) == (assigned.format("[redacted cloud key]"), 1)
    assert redact(f"sha = {secret}") == (f"sha = {secret}", 0)


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", "PGP "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\\n", '\\n" +\n    "', "\n    # "])
def test_private_keys(kind: str, end: str) -> None:
    block = key(kind, end=end)
    text, count = redact(f"first\nvalue = '{block}'\nlast")
    assert count == 1
    ends = "".join("\r\n" if end == "\r\n" else "\n" for _ in range(block.count("\n")))
    assert text == f"first\nvalue = '[redacted private key]{ends}'\nlast"


def test_headers_of_a_key_go_with_it() -> None:
    lines = key("RSA ").split("\n")
    lines[1:1] = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,ABCDEF", ""]
    assert redact("\n".join(lines)) == ("[redacted private key]" + "\n" * 11, 1)


def test_a_key_that_is_cut_off_goes_as_far_as_it_is_one() -> None:
    lines = key("RSA ").split("\n")[:-1]
    text, count = redact("\n".join([*lines, "def after():", "    return 1"]))
    assert (text, count) == ("[redacted private key]" + "\n" * 8 + "def after():\n    return 1", 1)


def test_two_keys_are_two() -> None:
    assert redact(f"{key('RSA ')}\nbetween\n{key('EC ')}") == (
        "[redacted private key]" + "\n" * 8 + "\nbetween\n[redacted private key]" + "\n" * 8,
        2,
    )


def test_a_key_of_putty() -> None:
    body = "\r\n".join(some(BASE, 64) for _ in range(4))
    head = "PuTTY-User-Key-File-3: ssh-ed25519\r\nPublic-Lines: 1\r\nAAAA\r\nPrivate-Lines: 4\r\n"
    assert redact(f"{head}{body}\r\nPrivate-MAC: 0") == (
        f"{head}[redacted private key]\r\n\r\n\r\n\r\nPrivate-MAC: 0",
        1,
    )


@pytest.mark.parametrize(
    "text",
    [
        "if text.startswith('-----BEGIN PRIVATE KEY-----'):\n    return load(text)\n",
        "BEGIN = '-----BEGIN RSA PRIVATE KEY-----'\nEND = '-----END RSA PRIVATE KEY-----'\n",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        "a PuTTY-User-Key-File-2 is read\n",
    ],
)
def test_code_that_reads_keys_is_no_key(text: str) -> None:
    assert redact(text) == (text, 0)


def test_a_public_key_is_none() -> None:
    text = key("RSA ").replace("PRIVATE", "PUBLIC")
    assert redact(text) == (text, 0)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgres://app:{}@db.internal:5432/shop", "db"),
        ("redis://:{}@cache:6379", "cache"),
        ("https://bot:{}@git.corp.net/x.git", "git"),
        ("amqp://svc:{}@[::1]/v", "["),
        ("mongodb+srv://u:{}@c0.mongodb.net/?retry=1", "c0"),
        ("postgres://postgres:{}@localhost/test", "localhost"),
    ],
)
def test_passwords_in_urls(url: str, host: str) -> None:
    for password in ("hunter2", "p%40ss!word", "x7&k=;,$2"):
        text, count = redact(f"connect('{url.format(password)}')")
        assert (text, count) == (f"connect('{url.format('[redacted password]')}')", 1)
    assert f"@{host}" in text


@pytest.mark.parametrize(
    "text",
    [
        # in the place of a password
        "https://user:password@host/path", "http://user:pass@localhost", "postgres://postgres:postgres@db/x",
        "https://{user}:{password}@{host}/", "https://$USER:$PASSWORD@host", "https://${USER}:${PASSWORD}@host",
        "'https://%s:%s@%s' % parts", "'http://' + user + ':' + password + '@' + host", "https://<user>:<pass>@host",
        "ftp://user:***@host", "https://user:xxxx@host", "https://user:a-real-one@api.example.com/x",
        "https://user:a-real-one@example.org", "https://u:a-real-one@db.test",
        # no password at all
        "http://localhost:8080/@scope/pkg", "git@github.com:a/b.git", "ssh://git@github.com:22/a", "a://b:c d@e",
        "https://x.org/a:b@c", "std::ptr::<A>://x",
        # tokens' beginnings, as code and prose have them
        "a token begins with ghp_ or gho_", "ghp_short", "AKIA", "AKIA1234", "xoxb-", "sk-", "glpat-",
        "npm_config_cache",
        "sk-fading-circle-with-a-very-long-class-name-of-css", "task-0123456789abcdef0123456789abcdef",
        "risk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1", "eyJ.eyJ.x", "ya29.test", "SG.send", "hvs.x",
        "npm_lifecycle_script_of_a_package_that_is_long", "hf_hub_download_with_retries_and_more", "SKIPPED",
        "my_github_pat_is_not_here", "PARAKIAABCDEFGHIJKLMNOPQ",
        # filling
        "AKIA" + "IOSFODNN7" + "EXAMPLE", "AKIA" + "X" * 16, "ghp_" + "x" * 36, "sk-" + "0" * 48, "AIza" + "-" * 35,
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        # digests and ids
        "da39a3ee5e6b4b0d3255bfef95601890afd80709", "sha512-" + "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg" * 2 + "==",
        "6f1ed002-ab59-5b0e-8f5b-d5f2d9c7e1a3", "integrity=" + "a1b2c3d4" * 10,
    ],
)  # fmt: skip
def test_near_misses(text: str) -> None:
    assert redact(text) == (text, 0)


def test_lines_stay_where_they_are() -> None:
    """Whatever secrets stand in whatever order: every other line is as it was, and there are as many."""
    random_of.seed(11)
    makers: list[Callable[[], str]] = [
        *TOKENS.values(),
        lambda: key("RSA "),
        lambda: "db://app:" + some(WORD, 12) + "@host",
    ]
    for _ in range(150):
        end = random_of.choice(["\n", "\r\n"])
        lines: list[str] = []
        plain: dict[int, str] = {}
        wanted = 0
        for at in range(random_of.randint(1, 30)):
            if random_of.random() < 0.4:
                lines.append("x = " + random_of.choice(makers)().replace("\n", end))
                wanted += 1
            else:
                lines.append(f"line {at} = value()")
                plain[end.join(lines).count("\n")] = lines[-1]
        text = end.join(lines)
        redacted, count = redact(text)
        assert count == wanted
        assert redacted.count("\n") == text.count("\n")
        assert redacted.count("\r") == text.count("\r")
        after = [line.removesuffix("\r") for line in redacted.split("\n")]
        assert {at: after[at] for at in plain} == plain
        assert redact(redacted) == (redacted, 0)


@pytest.mark.parametrize(
    "piece",
    [
        "-----BEGIN PRIVATE" + " KEY-----\n", "eyJ", "://a:", "-", "xoxb-1-", "A" * 50, "a" * 40 + "\n",
        "hf_", "sk-ant-",
        "-----BEGIN PRIVATE" + " KEY-----\n" + "A" * 30 + "\n\n", "://" + "b" * 90, "tskey-a",
    ],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 3.0
