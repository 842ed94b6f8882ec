"""The files of the demo account: they are there, they are what they say, and only their own address leads to them."""

from __future__ import annotations

from typing import Any

import httpx
from helpers.reading_accounts import all_messages
from helpers.running_api import running

from linq_mcp.demo.account import demo_account
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api

GONE = {"leak.mov"}
FILES: list[dict[str, Any]] = [
    {**part, "message_id": message["id"]}
    for message in all_messages(demo_account())
    for part in message["parts"] or ()
    if part["type"] == "media"
]


def one(filename: str) -> dict[str, Any]:
    return next(file for file in FILES if file["filename"] == filename)


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(demo_api(demo_account())), base_url=DEMO_BASE_URL)


async def test_every_file_can_be_fetched() -> None:
    """A file needs no key at the address in its message, and has the size that the message says; one is gone."""
    async with client() as http:
        for file in FILES:
            if file["filename"] == "first-aid.mp4":
                continue
            response = await http.get(file["url"])
            assert response.status_code == (404 if file["filename"] in GONE else 200), file["filename"]
            if file["filename"] not in GONE:
                assert len(response.content) == file["size_bytes"]
                assert response.headers["Content-Type"].startswith(file["mime_type"])


async def test_only_the_signed_address_leads_to_a_file() -> None:
    photo, other = one("knee-monday.jpg"), one("wrist.heic")
    path, _, query = photo["url"].partition("?")
    wrong = [
        path,
        f"{path}?{query[:-1]}",
        f"{path}?{other['url'].partition('?')[2]}",
        photo["url"].replace("knee-monday.jpg", "api.py"),
        photo["url"].replace("knee-monday.jpg", "wrist.heic"),
        photo["url"].replace(photo["id"], "00000000-0000-4000-8000-000000000000"),
        photo["url"].replace(photo["id"], "no-id"),
    ]
    async with client() as http:
        assert {(await http.get(url)).status_code for url in wrong} == {403}
        assert (await http.post(photo["url"])).status_code == 405


async def test_over_a_port_messages_lead_to_files_on_the_same_port() -> None:
    file = one("knee-monday.jpg")
    with running(demo_api(demo_account())) as url:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {DEMO_KEY}"}, trust_env=False) as http:
            message = (await http.get(f"{url}/v3/messages/{file['message_id']}")).json()
            listed = (await http.get(f"{url}/v3/chats/{message['chat_id']}/messages?limit=100")).json()["messages"]
        assert [same["parts"] for same in listed if same["id"] == message["id"]] == [message["parts"]]
        (address,) = [part["url"] for part in message["parts"] if part.get("id") == file["id"]]
        assert address.startswith(url.removesuffix("/api/partner") + "/attachments/")
        async with httpx.AsyncClient(trust_env=False) as http:
            assert len((await http.get(address)).content) == file["size_bytes"]
