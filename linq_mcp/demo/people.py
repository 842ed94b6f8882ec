"""The people of the demo account: invented, with phone numbers and email addresses that belong to nobody.

The numbers are from the 555-01xx range reserved for fiction, the addresses in the `example` domains.
"""

from dataclasses import dataclass

_FIRST = (  # noqa: SIM905 - names read best as a line of words
    "Ana Ben Carla Dmitri Elena Felix Grace Hiro Imani Jonas Kavya Liam Maya Noah Olga Pablo Quinn Rosa Samir "
    "Tara Umar Vera Wes Ximena Yara Zoe Aisha Bruno Chloe Daniel Esther Farid Gwen Hugo Ingrid Jamal Keiko Lars Mina "
    "Nils Opal Petra Ravi Sofia Theo Ulla Viktor Wanda"
).split()
_LAST = (  # noqa: SIM905 - as above
    "Adler Barros Castillo Dunn Eriksen Foster Greene Holt Ito Jensen Kim Larsen Moreau Novak Okafor Pereira "
    "Quist Reyes Sato Torres Underhill Vance Walsh Xu Young Zielinski Abbott Brandt Cohen Diaz Ellis Fontaine Garza "
    "Hale Ivanov Joshi Kowalski"
).split()
_AREAS = ("205", "256", "334", "404", "512", "615", "312", "917", "206", "303", "617", "702")
_DOMAINS = ("example.com", "example.org", "example.net")
# Each area has phone numbers for a hundred people.
PEOPLE = 100 * len(_AREAS)


@dataclass(frozen=True)
class Person:
    first: str
    last: str
    phone: str
    email: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


def person(number: int) -> Person:
    """The person with this number, from 0 to below `PEOPLE`. Each has their own phone number and email address."""
    first = _FIRST[number % len(_FIRST)]
    last = _LAST[number % len(_LAST)]
    return Person(
        first=first,
        last=last,
        phone=f"+1{_AREAS[number % len(_AREAS)]}55501{number // len(_AREAS):02}",
        email=f"{first}.{last}@{_DOMAINS[number % len(_DOMAINS)]}".lower(),
    )
