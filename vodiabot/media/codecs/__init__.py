"""Codecs, called inline on the media loop: one object a direction and stream, no threads, no `av` frames."""

from .kinds import CODECS, Codec, Decoder, Encoder, codec_of

__all__ = ["CODECS", "Codec", "Decoder", "Encoder", "codec_of"]
