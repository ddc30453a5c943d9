"""HTTP routes of plugins: webhooks in. `http` is what a plugin declares them with, `request` what its handlers get and
give, `server` what brings the one to the other."""

from .http import PluginHttp, Routes
from .request import BadRequest, Request, Response
from .server import serve_routes

__all__ = ["BadRequest", "PluginHttp", "Request", "Response", "Routes", "serve_routes"]
