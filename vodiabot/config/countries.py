"""`[pbx] country`: an ISO 3166 region, by whose numbering plan numbers are read."""

from __future__ import annotations

import phonenumbers

from .kinds import word
from .reading import Spot, Wrong, suggestion

_MEANT = {
    **{"UK": "GB", "EN": "GB", "GBR": "GB", "ENGLAND": "GB", "EL": "GR", "USA": "US", "AMERICA": "US", "CAN": "CA"},
    **{"D": "DE", "DEU": "DE", "GER": "DE", "GERMANY": "DE", "DEUTSCHLAND": "DE", "A": "AT", "AUT": "AT", "CHE": "CH"},
    **{"F": "FR", "FRA": "FR", "I": "IT", "ITA": "IT", "E": "ES", "ESP": "ES", "NLD": "NL", "AUS": "AU"},
}
"""What people write in place of the code."""


def country(value: object, spot: Spot) -> str:
    """Two letters, in capitals however they were written."""
    code = word(value, spot).upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise Wrong(f'must be the two letters of a country, such as "DE" or "US"{_hint(code)}')
    return code


def _hint(code: str) -> str:
    meant = _MEANT.get(code) or (_of_prefix(code) if code.lstrip("+").isdecimal() else "")
    return f'; did you mean "{meant}"?' if meant else suggestion(code, sorted(phonenumbers.SUPPORTED_REGIONS))


def _of_prefix(digits: str) -> str:
    """"49" is the country code of Germany."""
    region: str = phonenumbers.region_code_for_country_code(int(digits.lstrip("+")[:4]))
    return region if region in phonenumbers.SUPPORTED_REGIONS else ""
