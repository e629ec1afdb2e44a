"""django-helpdesk as a site of its own, as its documentation installs it: what the register is measured beside.

``python -m bench.helpdesk_site`` migrates the database and prints a token of a staff member and the id of a queue;
``gunicorn bench.helpdesk_site:application`` serves it. BENCH_HELPDESK_DSN names the database.
"""

import json
import os
import secrets
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

_dsn = urlsplit(os.environ.get("BENCH_HELPDESK_DSN", "postgresql://nobody@/none?host=/none"))

if not settings.configured:
    settings.configure(
        SECRET_KEY=secrets.token_urlsafe(),
        DEBUG=False,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="bench.helpdesk_site",
        USE_TZ=True,
        SITE_ID=1,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.sites",
            "django.contrib.humanize",
            "django.contrib.messages",
            "django.contrib.admin",
            "rest_framework",
            "rest_framework.authtoken",
            "helpdesk",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": _dsn.path.lstrip("/"),
                "USER": unquote(_dsn.username or ""),
                "PASSWORD": unquote(_dsn.password or ""),
                "HOST": parse_qs(_dsn.query).get("host", [_dsn.hostname or ""])[0],
                "CONN_MAX_AGE": None,  # connections are kept, as the register keeps its own
            }
        },
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        HELPDESK_ACTIVATE_API_ENDPOINT=True,
        HELPDESK_TEAMS_MODE_ENABLED=False,
        LOGGING_CONFIG=None,
    )
    django.setup()

urlpatterns = [path("", include("helpdesk.urls", namespace="helpdesk"))]
application: Any = get_wsgi_application()


def main() -> None:
    """Make the tables, a queue, and a staff member with a token."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from helpdesk.models import Queue
    from rest_framework.authtoken.models import Token

    call_command("migrate", verbosity=0)
    user: Any = get_user_model().objects.create_superuser("staff", "staff@example.com", secrets.token_urlsafe())
    models: tuple[Any, Any] = (Queue, Token)  # Django adds their managers while it loads
    queue: Any = models[0].objects.create(title="Beijing", slug="bj")
    token: Any = models[1].objects.create(user=user)
    print(json.dumps({"token": token.key, "queue": queue.pk}))


if __name__ == "__main__":
    main()
