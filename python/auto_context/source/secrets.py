"""Files that may hold secrets, by name. Data, matched without regard to case; contents are judged in ``content``."""

from __future__ import annotations

import re
from fnmatch import translate

ALWAYS = (
    # environment files
    ".env*", "*.env", "*.env.*", ".flaskenv", ".dev.vars*",
    # private keys, certificates, key stores
    "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.pkcs12", "*.crt", "*.cer", "*.der", "*.csr", "*.jks", "*.jceks",
    "*.bks", "*.keystore", "*.truststore", "*.keychain", "*.keychain-db", "*.ppk", "*.snk", "*.mobileprovision",
    "*.provisionprofile", "*.gpg", "*.pgp", "*.asc", "*.age", "*.ovpn", "secring.*",
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "id_xmss*", "*_rsa", "*_dsa", "*_ecdsa", "*_ed25519",
    "ssh_host_*_key", "master.key", "wg0.conf",
    # password stores and tokens
    "*.kdb", "*.kdbx", "*.psafe3", "*.agilekeychain", "*.opvault", "*.1pif", "*.token", "*.tokens", "*.secret",
    "*.secrets", "*.cred", "*.creds", "*.credential", "*.credentials", ".vault-token", ".vault_pass*", "vault_pass*",
    ".htpasswd", ".htdigest", "htpasswd", ".pgpass", "pgpass.conf", ".my.cnf", ".mylogin.cnf", "shadow", "gshadow",
    # tools' logins
    ".npmrc", ".yarnrc.yml", ".pypirc", ".netrc", "_netrc", ".authinfo", ".git-credentials", ".gitcookies",
    ".dockercfg", ".dockerconfigjson", ".s3cfg", ".boto", ".terraformrc", "terraform.rc", "kubeconfig", "*.kubeconfig",
    "auth.json", "accesstokens.json", "azureprofile.json", "application_default_credentials.json",
    "client_secret*.json", "client_secrets*.json", "service-account*.json", "service_account*.json",
    "serviceaccount*.json", "*-service-account.json", "*firebase-adminsdk*.json", "google-services.json",
    "googleservice-info.plist", "local.settings.json", "docker-compose.override.y*ml", "wp-config.php",
    "database.yml.enc", "credentials.yml.enc", "*.tfvars", "*.tfvars.json", "terraform.tfstate*", "*.tfstate",
    "*.tfstate.*", ".chef-knife.rb", "*.rdp", "*.remmina", "filezilla.xml", "recentservers.xml", "*.publishsettings",
    # databases, captures and dumps of memory
    "*.sqlite", "*.sqlite3", "*.db", "*.mdb", "*.accdb", "*.pcap", "*.pcapng", "*.dmp", "*.hprof", "core.[0-9]*",
    # shells and clients that remember what was typed
    ".bash_history", ".zsh_history", ".sh_history", ".python_history", ".node_repl_history", ".psql_history",
    ".mysql_history", ".sqlite_history", ".rediscli_history", ".lesshst",
    # old copies, which no ignore file expects
    "*.bak", "*.backup", "*.old", "*.orig",
)  # fmt: skip
"""Globs on a file's own name."""

UNLESS_CODE = (
    "credentials*", "*-credentials.*", "*_credentials.*", "secret", "secrets", "secret.*", "secrets.*", "*.secret.*",
    "*.secrets.*", "*-secret.*", "*-secrets.*", "*_secrets.*", "passwords*", "passwd*", "token", "tokens.*",
    "apikey*", "api_key*", "api-key*",
)  # fmt: skip
"""Globs on a file's own name that are left alone when the file is program source: ``credentials.go`` implements."""

FOLDERS = frozenset(
    {
        ".ssh", ".gnupg", ".gpg", ".pgp", ".aws", ".azure", ".gcp", ".gcloud", ".kube", ".docker", ".oci",
        ".password-store", ".1password",
        ".keychain", ".keys", ".secrets", ".secret", ".private", ".credentials", ".vault",
        ".certs", ".terraform.d", ".putty", ".fly", ".doctl", ".railway", ".snowflake", ".databricks",
    }
)  # fmt: skip
"""Folders nothing under is indexed."""

FOLDERS_UNLESS_CODE = frozenset({"secrets", "credentials", "private_keys", "private-keys", "ssh_keys", "ssh-keys"})
"""Folders under which only program source is indexed."""

FOLDER_ENDINGS = (".config/gcloud", ".config/gh", ".config/hub", ".config/rclone", ".config/op")
"""Pairs of folders nothing under is indexed."""

CODE_SUFFIXES = frozenset(
    {
        "c", "cc", "clj", "cljs", "cpp", "cs", "css", "cxx", "dart", "el", "elm", "erl", "ex", "exs", "fs", "go", "h",
        "hpp", "hs", "html", "java", "jl", "js", "jsx", "kt", "kts", "lua", "m", "md", "ml", "mm", "nim", "php", "pl",
        "pm", "proto", "py", "pyi", "r", "rb", "rs", "rst", "scala", "scss", "sol", "svelte", "swift", "ts", "tsx",
        "vim", "vue", "zig",
    }
)  # fmt: skip


def _one_of(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(glob) for glob in globs))


_ALWAYS, _UNLESS_CODE = _one_of(ALWAYS), _one_of(UNLESS_CODE)


def is_secret_name(path: str) -> bool:
    """Whether a file must not be indexed because of its name or its folder.

    Args:
        path: posix, relative to the top of the work tree.
    """
    folder, _, name = path.lower().rpartition("/")
    if _ALWAYS.match(name):
        return True
    code = name.rpartition(".")[2] in CODE_SUFFIXES and "." in name
    if not code and _UNLESS_CODE.match(name):
        return True
    if not folder:
        return False
    parts = folder.split("/")
    if not FOLDERS.isdisjoint(parts) or (not code and not FOLDERS_UNLESS_CODE.isdisjoint(parts)):
        return True
    return any(f"/{ending}/" in f"/{folder}/" for ending in FOLDER_ENDINGS)
