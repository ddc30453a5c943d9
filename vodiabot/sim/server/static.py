"""The softphone page: the files of `vodiabot/sim/static`."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

ROOT = Path(__file__).parent.parent / "static"

MIME = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".txt": "text/plain",
}

HEADERS = {
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self' blob: mediastream:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=()",
}
"""Of every file. The page loads nothing from elsewhere and is never stale."""


async def static_file(request: Request) -> Response:
    """`/` is index.html. The files are small and few, so they are read without a thread."""
    try:
        path = (ROOT / (request.path_params["path"] or "index.html")).resolve()
        if path.is_dir():
            path /= "index.html"
        if path.is_relative_to(ROOT.resolve()) and path.suffix in MIME:
            return Response(path.read_bytes(), media_type=MIME[path.suffix], headers=HEADERS)
    except (OSError, ValueError):  # not there, too long, a zero byte in it
        pass
    return PlainTextResponse("not found\n", 404, headers=HEADERS)
