"""Secrets that are known by their shape, as data: what begins one, what follows, and who says so.

`sign` is what the scanner looks for, mostly as long as `width` says, so that its end tells its beginning. `pattern` is
matched there and takes all of the secret; where it has one group, the group alone goes. A `loose` sign could as well be
a part of encoded data (four letters of base64), so nothing alphanumeric may stand before it, except an escape's end.

Where no better source is known, the prefix is the one that the provider's own keys show and that GitHub's secret
scanning (`LISTED`), gitleaks and detect-secrets know.
"""

import re
from collections.abc import Callable

from msgspec import Struct

WORD = rb"[A-Za-z0-9_-]"
ALNUM = rb"[A-Za-z0-9]"
UPPER = rb"[A-Z0-9]"
HEX = rb"[0-9a-f]"
BASE64 = rb"[A-Za-z0-9+/=]"
SHOWN = 8

_OPEN = (
    rb"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})|(?<=\[[0-9;]m)|(?<=\[[0-9]{2}m))"
)

GITHUB = "https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/"
GITLAB = "https://docs.gitlab.com/security/tokens/#token-prefixes"
AWS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes"
BEDROCK = "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html"
AZURE = "https://learn.microsoft.com/purview/sit-defn-azure-storage-account-key-generic"
ENTRA = "https://learn.microsoft.com/purview/sit-defn-azure-ad-client-secret"
GOOGLE = "https://cloud.google.com/docs/authentication/api-keys"
STRIPE = "https://docs.stripe.com/keys"
SLACK = "https://docs.slack.dev/authentication/tokens"
SHOPIFY = "https://shopify.dev/changelog/length-of-the-shopify-access-token-is-increasing"
DIGITALOCEAN = "https://docs.digitalocean.com/reference/api/create-personal-access-token/"
SENDGRID = "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys"
TWILIO = "https://www.twilio.com/docs/glossary/what-is-a-sid"
RFC7468 = "https://www.rfc-editor.org/rfc/rfc7468"
RFC6750 = "https://www.rfc-editor.org/rfc/rfc6750#section-2.1"
RFC7617 = "https://www.rfc-editor.org/rfc/rfc7617#section-2"
RFC7519 = "https://www.rfc-editor.org/rfc/rfc7519"
RFC3986 = "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1"
LISTED = "https://docs.github.com/code-security/secret-scanning/introduction/supported-secret-scanning-patterns"


class Rule(Struct, frozen=True):
    """One shape. `width` is the length of what `sign` matches, `cut` what a secret cut short still looks like.

    Where `width` is 0, the last `anchor` before the sign's end begins it, or what is found from `lead` bytes before it
    to `reach` bytes behind it. `left` are characters that belong to it before the sign.
    `check` has the last word.
    """

    name: str
    sign: bytes
    width: int
    pattern: re.Pattern[bytes]
    source: str
    anchor: bytes = b""
    cut: re.Pattern[bytes] | None = None
    left: bytes = b""
    lead: int = 256
    reach: int = 16_384
    check: Callable[[bytes], bool] | None = None

    @property
    def part(self) -> bool:
        """Whether the pattern's group is the secret."""
        return self.pattern.groups == 1


def _token(
    name: str,
    anchor: str,
    source: str = LISTED,
    *,
    tail: bytes = WORD,
    least: int = 20,
    loose: bool = False,
    exact: bool = False,
    having: bytes = b"",
) -> Rule:
    """Return the rule of an anchor and a run of at least `least` of a class; `exact` takes just as many, closed."""
    begin, shown = re.escape(anchor.encode()), min(least, SHOWN)
    body = having + tail + b"{%d,}+" % least
    patterns = [(_OPEN if loose else b"") + begin + body]
    if exact:
        patterns.append(begin + having + tail + b"{%d}(?!%s)" % (least, WORD))
    cut = (_OPEN if loose else b"") + begin + tail + rb"*+(?:\.\.\.|\xe2\x80\xa6)?\Z"
    return Rule(
        name,
        begin + tail + b"{%d}" % shown,
        len(anchor) + shown,
        re.compile(b"|".join(patterns)),
        source,
        anchor.encode(),
        re.compile(cut),
    )


def _tokens(name: str, anchors: str, source: str = LISTED, **how: object) -> tuple[Rule, ...]:
    return tuple(_token(name, anchor, source, **how) for anchor in anchors.split())  # type: ignore[arg-type]  # passed on


def _special(
    name: str,
    sign: bytes,
    width: int,
    pattern: bytes,
    source: str = LISTED,
    *,
    anchor: bytes = b"",
    cut: bytes = b"",
    left: bytes = b"",
    lead: int = 256,
    reach: int = 16_384,
) -> Rule:
    ending = re.compile(cut) if cut else None
    return Rule(name, sign, width, re.compile(pattern), source, anchor, ending, left, lead, reach)


_DIGIT = rb"(?=[A-Za-z_-]*+[0-9])"
_ESCAPED = rb"(?:\\[nrt\\/]|\\u00[0-9a-fA-F]{2}|\s)"
_KEY_TEXT = rb"(?:[A-Za-z0-9+/=]|" + _ESCAPED + rb")"
_PEM = (
    rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:(?:(?!-----)[^\"<]){0,20000}+-----END [A-Z0-9 ]{0,48}PRIVATE KEY(?: BLOCK)?-----"
    rb"|" + _ESCAPED + rb"*+(?=[A-Za-z0-9+/=]{16})" + _KEY_TEXT + rb"*+)"
)
_NAMED = (
    rb"(?:api[_-]?key|secret[_-]?key|client[_-]?secret|access[_-]?token|refresh[_-]?token|auth[_-]?token|passw(?:or)?d"
    rb"|authorization(?:[_-]?token)?)"
)
_TOLD = rb"[\"'\\]{0,4}\s{0,2}[:=]\s{0,2}[\"'\\]{0,4}(?:token\s)?"
_TOKEN68 = rb"[A-Za-z0-9_./+=~-]"
_SECRETLY = (
    rb"(?=[A-Za-z_./+=~-]{0,512}+[0-9][^0-9\s\"'\\]{0,512}+[0-9][^0-9\s\"'\\]{0,512}+[0-9])"
    rb"(?=[^A-Za-z\s\"'\\]{0,512}+[A-Za-z])"
)

RULES: tuple[Rule, ...] = (
    *_tokens("anthropic", "sk-ant-", "https://docs.claude.com/en/api/overview"),
    *_tokens(
        "openai", "sk-proj- sk-svcacct- sk-admin- sk-None- sess-", "https://platform.openai.com/docs/api-reference"
    ),
    *_tokens("openrouter", "sk-or-", "https://openrouter.ai/docs/api-reference/authentication"),
    *_tokens("langfuse", "sk-lf-", "https://langfuse.com/docs/api"),
    _special(
        "api-key",
        rb"sk-[A-Za-z0-9_-]{8}",
        11,
        _OPEN + rb"sk-(?:[a-z0-9]{1,12}-){0,3}+(?:" + _DIGIT + rb"[A-Za-z0-9_]{20})" + WORD + b"*+",
        "https://api-docs.deepseek.com/",
        anchor=b"sk-",
        cut=_OPEN + b"sk-" + _DIGIT + WORD + rb"{12,}+(?:\.\.\.)?\Z",
    ),
    *_tokens("google", "AIza", GOOGLE, least=35, loose=True, exact=True),
    *_tokens("google", "AQ.Ab8", GOOGLE, least=30, loose=True),
    *_tokens("google-oauth", "ya29.", "https://developers.google.com/identity/protocols/oauth2", least=20, loose=True),
    *_tokens("google-oauth", "GOCSPX-", "https://developers.google.com/identity/protocols/oauth2", least=20),
    *_tokens("aws-key-id", "AKIA ASIA ABIA ACCA", AWS, tail=UPPER, least=16, loose=True, exact=True),
    *_tokens("aws-session", "IQoJb3JpZ2lu FwoGZXIvYXdz", AWS, tail=BASE64, least=60, loose=True),
    *_tokens("aws-bedrock", "ABSKQmVkcm9ja", BEDROCK, tail=BASE64, least=40),
    *_tokens("aws-bedrock", "bedrock-api-key-", BEDROCK, tail=BASE64, least=40),
    _special(
        "aws-secret",
        rb"(?i)secret_?access_?key",
        0,
        rb"(?i)secret_?access_?key(?:\\?[\"']|\s|&quot;){0,3}+\s{0,4}+[:=]{1,2}>?\s{0,4}+(?:\\?[\"']|&quot;){0,2}+"
        rb"([A-Za-z0-9/+=]{40})(?![A-Za-z0-9/+=])",
        AWS,
        lead=20,
    ),
    _special(
        "azure-storage",
        rb"(?i)(?:account|access|shared)key=[A-Za-z0-9+/]{8}",
        0,
        rb"(?i)(?:account|access|shared)key=([A-Za-z0-9+/]{40,88}={0,2})",
        AZURE,
        lead=24,
    ),
    _special(
        "azure-sas", rb"(?i)[?&;]sig=[A-Za-z0-9%+/_-]{8}", 13, rb"(?i)[?&;]sig=([A-Za-z0-9%+/=_-]{40,200})", AZURE
    ),
    _special(
        "azure-openai",
        rb"JQQJ9[9A-Da-d][A-Za-z0-9]{20}",
        26,
        rb"[A-Za-z0-9]{40,60}JQQJ9[9A-D][A-Za-z0-9]{20,40}",
        AZURE,
        left=b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    ),
    _special(
        "entra-secret",
        rb"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{30}",
        36,
        rb"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{30,40}",
        ENTRA,
    ),
    *_tokens(
        "huggingface",
        "hf_ api_org_",
        "https://huggingface.co/docs/hub/security-tokens",
        tail=ALNUM,
        least=30,
        loose=True,
        exact=True,
    ),
    *_tokens("groq", "gsk_", "https://console.groq.com/docs/quickstart", tail=ALNUM, least=40, loose=True),
    *_tokens("xai", "xai-", "https://docs.x.ai/docs/overview", tail=ALNUM, least=40),
    *_tokens("perplexity", "pplx-", "https://docs.perplexity.ai/", tail=ALNUM, least=40),
    *_tokens(
        "replicate", "r8_", "https://replicate.com/docs/reference/http", tail=ALNUM, least=37, loose=True, exact=True
    ),
    *_tokens("fireworks", "fw_", "https://docs.fireworks.ai/", tail=ALNUM, least=22, loose=True, having=_DIGIT),
    *_tokens("together", "tgp_v1_", "https://docs.together.ai/", least=40),
    *_tokens("cerebras", "csk-", "https://inference-docs.cerebras.ai/", tail=ALNUM, least=40, loose=True),
    *_tokens("nvidia", "nvapi-", "https://docs.api.nvidia.com/", least=40),
    *_tokens("voyage", "pa-", "https://docs.voyageai.com/", least=43, loose=True, exact=True, having=_DIGIT),
    *_tokens("tavily", "tvly-", "https://docs.tavily.com/", least=20),
    *_tokens(
        "elevenlabs", "sk_", "https://elevenlabs.io/docs/api-reference/authentication", tail=HEX, least=48, loose=True
    ),
    *_tokens("jina", "jina_", "https://jina.ai/", least=40, loose=True),
    *_tokens("langsmith", "lsv2_pt_ lsv2_sk_", "https://docs.smith.langchain.com/", least=32),
    *_tokens("pinecone", "pcsk_", "https://docs.pinecone.io/", least=40, loose=True),
    *_tokens("firecrawl", "fc-", "https://docs.firecrawl.dev/", tail=HEX, least=32, loose=True),
    *_tokens("e2b", "e2b_", "https://e2b.dev/docs", tail=HEX, least=40, loose=True),
    *_tokens("vercel", "vck_", "https://vercel.com/docs/ai-gateway", tail=ALNUM, least=24, loose=True, having=_DIGIT),
    *_tokens("databricks", "dapi", "https://docs.databricks.com/dev-tools/auth/pat", tail=HEX, least=32, loose=True),
    *_tokens("anyscale", "esecret_", tail=ALNUM, least=20),
    *_tokens("supabase", "sbp_", "https://supabase.com/docs/guides/api/api-keys", tail=HEX, least=40, loose=True),
    *_tokens("supabase", "sb_secret_", "https://supabase.com/docs/guides/api/api-keys", least=20),
    *_tokens("github", "ghp_ gho_ ghu_ ghs_ ghr_", GITHUB, tail=ALNUM, least=36, loose=True, exact=True),
    *_tokens("github", "github_pat_", GITHUB, least=22),
    *_tokens("gitlab", "glpat- gldt- glrt- glptt- glft- glsoat- glcbt- glimt- glagent- gloas-", GITLAB),
    _special(
        "slack",
        rb"xox[abceoprsd]-[A-Za-z0-9-]{8}",
        13,
        rb"xox[a-z]-[A-Za-z0-9%-]{10,}+",
        SLACK,
        anchor=b"xox",
        cut=rb"xox[a-z]-[A-Za-z0-9%-]*+(?:\.\.\.)?\Z",
    ),
    *_tokens("slack", "xapp-", SLACK, least=20),
    _special(
        "slack-webhook",
        rb"hooks\.slack\.com/(?:services|workflow)/",
        0,
        rb"hooks\.slack\.com/(?:services|workflow)/([A-Za-z0-9+/_-]{20,}+)",
        SLACK,
        anchor=b"hooks.",
    ),
    _special(
        "discord-webhook",
        rb"/api/webhooks/[0-9]{8}",
        22,
        rb"/api/webhooks/([0-9]{8,24}/[A-Za-z0-9_-]{30,}+)",
        "https://discord.com/developers/docs/resources/webhook",
    ),
    _special(
        "telegram",
        rb"[0-9]{8}:AA[A-Za-z0-9_-]{33}",
        44,
        rb"[0-9]{8}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])",
        "https://core.telegram.org/bots/api#authorizing-your-bot",
    ),
    *_tokens("stripe", "sk_live_ sk_test_ rk_live_ rk_test_", STRIPE, tail=ALNUM, least=16),
    *_tokens("stripe", "whsec_", STRIPE, tail=BASE64, least=24),
    *_tokens("square", "sq0atp- sq0csp- sq0idp-", least=22),
    *_tokens("shopify", "shpat_ shpca_ shppa_ shpss_", SHOPIFY, tail=rb"[A-Fa-f0-9]", least=32),
    _special(
        "sendgrid",
        rb"SG\.[A-Za-z0-9_-]{20}",
        23,
        rb"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{32,}+",
        SENDGRID,
        anchor=b"SG.",
        cut=rb"SG\.[A-Za-z0-9_-]{10,24}(?:\.[A-Za-z0-9_-]*+)?(?:\.\.\.)?\Z",
    ),
    *_tokens("mailgun", "key-", tail=HEX, least=32, loose=True, exact=True),
    *_tokens("twilio", "SK", TWILIO, tail=HEX, least=32, loose=True, exact=True),
    *_tokens("npm", "npm_", "https://docs.npmjs.com/about-access-tokens", tail=ALNUM, least=36, loose=True, exact=True),
    *_tokens("pypi", "pypi-AgE", "https://packaging.python.org/en/latest/specifications/pypirc/", least=40),
    *_tokens("rubygems", "rubygems_", tail=HEX, least=40),
    *_tokens("docker", "dckr_pat_ dckr_oat_", "https://docs.docker.com/security/access-tokens/", least=20),
    *_tokens("digitalocean", "dop_v1_ doo_v1_ dor_v1_", DIGITALOCEAN, tail=HEX, least=40),
    *_tokens("heroku", "HRKU-", "https://devcenter.heroku.com/articles/authentication", least=32),
    *_tokens("fly", "fo1_ FlyV1%20 fm2_", "https://fly.io/docs/security/tokens/", least=40, loose=True),
    *_tokens("linear", "lin_api_ lin_oauth_", "https://linear.app/developers", tail=ALNUM, least=32),
    *_tokens(
        "notion", "ntn_", "https://developers.notion.com/reference/authentication", tail=ALNUM, least=40, loose=True
    ),
    *_tokens("figma", "figd_ figu_", "https://www.figma.com/developers/api", least=36),
    *_tokens("atlassian", "ATATT3 ATCTT3", tail=rb"[A-Za-z0-9_=-]", least=40),
    *_tokens(
        "grafana",
        "glsa_ glc_",
        "https://grafana.com/docs/grafana/latest/administration/service-accounts/",
        tail=rb"[A-Za-z0-9_=+/]",
        least=32,
        loose=True,
    ),
    *_tokens("newrelic", "NRAK-", tail=UPPER, least=27),
    *_tokens(
        "sentry", "sntrys_ sntryu_", "https://docs.sentry.io/account/auth-tokens/", tail=rb"[A-Za-z0-9_=+/]", least=40
    ),
    *_tokens("doppler", "dp.pt. dp.st. dp.ct.", least=36, tail=ALNUM),
    *_tokens(
        "vault", "hvs. hvb. hvr.", "https://developer.hashicorp.com/vault/docs/concepts/tokens", least=24, loose=True
    ),
    *_tokens("pulumi", "pul-", tail=HEX, least=40, loose=True),
    *_tokens("planetscale", "pscale_tkn_ pscale_pw_ pscale_oauth_", tail=rb"[A-Za-z0-9_.=-]", least=30),
    *_tokens("postman", "PMAK-", least=50),
    *_tokens("1password", "ops_eyJ", tail=BASE64, least=60),
    *_tokens("age", "AGE-SECRET-KEY-1", "https://age-encryption.org/v1", tail=UPPER, least=50),
    _special(
        "terraform",
        rb"\.atlasv1\.[A-Za-z0-9_=-]{8}",
        17,
        rb"[A-Za-z0-9]{0,14}\.atlasv1\.[A-Za-z0-9_=-]{50,}+",
        left=b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    ),
    _special(
        "jwt",
        rb"\.eyJ[A-Za-z0-9_-]{8}",
        12,
        rb"eyJ[A-Za-z0-9_-]{8,8000}+\.eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?",
        RFC7519,
        left=b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-",
    ),
    _special(
        "private-key",
        rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY",
        0,
        _PEM,
        RFC7468,
        anchor=b"-----BEGIN ",
        cut=rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----" + _KEY_TEXT + rb"*+\Z",
    ),
    _special(
        "url-password",
        rb"://[A-Za-z0-9._~%!$&*+-]{1,64}:[^\s/?#@\"'\\<>{}$\[\]()]{6,128}@[A-Za-z0-9]",
        0,
        rb"://[A-Za-z0-9._~%!$&*+-]{1,64}:([^\s/?#@\"'\\<>{}$\[\]()]{6,128})@[A-Za-z0-9]",
        RFC3986,
        anchor=b"://",
    ),
    _special(
        "assigned",
        b"(?i)" + _NAMED + _TOLD + _TOKEN68 + b"{16}",
        0,
        b"(?i)"
        + _NAMED
        + rb"[\"'\\]{0,4}+\s{0,2}+[:=]\s{0,2}+[\"'\\]{0,4}+(?:token\s)?+("
        + _SECRETLY
        + rb"(?!/)(?:[A-Za-z0-9_+=~-]|/(?!/)){16,512}+)(?![A-Za-z0-9_+=~(\[]|\.[a-z])",
        "https://github.com/Yelp/detect-secrets (its keyword detector, narrowed to values with digits)",
        lead=56,
        reach=520,
    ),
    _special(
        "bearer",
        rb"(?i)bearer\s" + _TOKEN68 + b"{16}",
        23,
        rb"(?i)bearer\s(" + _SECRETLY + _TOKEN68 + b"{16,8000}+)",
        RFC6750,
    ),
    _special(
        "basic",
        rb"(?i)basic\s[A-Za-z0-9+/]{16}",
        22,
        rb"(?i)basic\s((?:(?=[A-Za-z+/]{0,512}+[0-9])[A-Za-z0-9+/]{16,8000}+={0,2}|[A-Za-z+/]{16,512}+={1,2}))(?![A-Za-z0-9_])",
        RFC7617,
    ),
)
