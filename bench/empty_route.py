"""A route that does nothing behind all that every route of a service has: what a request costs before its work begins.

``python -m bench.empty_route`` serves POST /api/empty with the settings of a service: its middlewares, a bearer token,
and one empty transaction as the caller, which sees the caller's branches.
"""

import uvicorn
from fastapi import Response

from shouwen.runtime import http
from shouwen.runtime.auth import Authenticator, Caller, FileKeys
from shouwen.runtime.settings import ServiceSettings
from shouwen.runtime.unit_of_work import UnitOfWork


def main() -> None:
    """Serve until SIGTERM."""
    settings = ServiceSettings()  # pyright: ignore[reportCallIssue]
    assert settings.oidc_jwks_file is not None
    work = UnitOfWork(
        app_url=settings.database_url.get_secret_value(),
        worker_url=settings.worker_database_url.get_secret_value(),
        source="/shouwen/intake",
    )
    app = http.new_app("Empty", version="0")
    app.state.authenticator = Authenticator(
        FileKeys(settings.oidc_jwks_file), issuer=settings.oidc_issuer, audience=settings.oidc_audience
    )

    @app.post("/api/empty", status_code=201)
    async def empty(caller: Caller) -> Response:
        await work.open()
        async with work.as_person(caller):
            pass
        return Response("{}", status_code=201, media_type="application/json")

    uvicorn.run(app, host=settings.http_host, port=settings.http_port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
