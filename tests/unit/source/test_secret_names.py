"""The deny list of names."""

import pytest

from auto_context.source import secrets

NAMES = """
    .env .env.local .env.example .ENV prod.env app/.env.production .envrc server.pem tls.KEY ca.crt a.cer cert.p12
    cert.pfx keys.jks my.keystore db.kdbx id_rsa id_ed25519 id_ecdsa.pub credentials credentials.json
    credentials.yml db.secret app.secrets secrets.yaml .npmrc .pypirc .netrc .git-credentials .htpasswd
    service-account.json service-account-prod.json terraform.tfstate terraform.tfstate.backup prod.tfvars
    .aws/config home/.ssh/known_hosts .gnupg/pubring.kbx .kube/config .docker/config.json secrets/db.txt
    deploy/secrets/token .config/gh/hosts.yml x/.config/gcloud/a/b.json api.token
    .pgpass auth.json old.sql.bak"""
HARMLESS = """
    main.py environment.py env.py src/env/index.ts keyboard.ts monkey.py credentials.go src/credentials/store.py
    secrets.py src/secrets/manager.rs docs/secrets.md tokenizer.py token.rs keys.md package.json config.json
    settings.json .gitignore .github/workflows/ci.yml kube/config.yaml aws/client.py ssh.py pem.go"""


@pytest.mark.parametrize("path", NAMES.split())
def test_secrets(path: str) -> None:
    assert secrets.is_secret_name(path)
    assert secrets.is_secret_name(path.upper())


@pytest.mark.parametrize("path", HARMLESS.split())
def test_program_source_about_secrets_is_none(path: str) -> None:
    assert not secrets.is_secret_name(path)


def test_the_list_is_long() -> None:
    # The longest list among comparable tools had 33 names and 21 folders, most of them plain configuration.
    assert len(secrets.ALWAYS) + len(secrets.UNLESS_CODE) > 100
    assert len(secrets.FOLDERS) + len(secrets.FOLDERS_UNLESS_CODE) + len(secrets.FOLDER_ENDINGS) > 30
    assert len(set(secrets.ALWAYS)) == len(secrets.ALWAYS)
    assert all(glob == glob.lower() for glob in (*secrets.ALWAYS, *secrets.UNLESS_CODE, *secrets.FOLDERS))
