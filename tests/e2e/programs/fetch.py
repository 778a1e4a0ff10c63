"""fetch.py WAY URL...: GETs each URL in one of Python's ways, prints the bodies. Ends with 3 when the network refuses, as the caller sees it."""
import asyncio
import http.client
import socket
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request


def by_urllib(urls):
    for url in urls:
        with urllib.request.urlopen(url, timeout=20) as answer:
            print(answer.read().decode(), end="")


def by_http_client(urls):
    """One connection, kept alive, for all."""
    first = urllib.parse.urlsplit(urls[0])
    connection = http.client.HTTPConnection(first.hostname, first.port or 80, timeout=20)
    for url in urls:
        connection.request("GET", urllib.parse.urlsplit(url).path)
        print(connection.getresponse().read().decode(), end="")
    connection.close()


def by_requests(urls):
    import requests

    with requests.Session() as session:
        for url in urls:
            print(session.get(url, timeout=20).text, end="")


async def stream_one(url):
    parts = urllib.parse.urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    writer.write(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0], head
    writer.close()
    await writer.wait_closed()
    return body.decode()


def by_asyncio(urls):
    async def all_of_them():
        for body in await asyncio.gather(*map(stream_one, urls)):
            print(body, end="")

    asyncio.run(asyncio.wait_for(all_of_them(), 30))


def by_aiohttp(urls):
    import aiohttp

    async def one(session, url):
        async with session.get(url) as answer:
            return await answer.text()

    async def all_of_them():
        async with aiohttp.ClientSession() as session:
            for body in await asyncio.gather(*(one(session, url) for url in urls)):
                print(body, end="")

    asyncio.run(asyncio.wait_for(all_of_them(), 50))


def by_threads(urls):
    """Each URL in a thread of its own. The first error is the caller's."""
    bodies, errors = [], []

    def one(url):
        try:
            with urllib.request.urlopen(url, timeout=40) as answer:
                bodies.append(answer.read().decode())
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    print("".join(bodies), end="")


def refused(error):
    cause = getattr(error, "reason", error)
    if isinstance(cause, PermissionError):
        return "PermissionError"
    if isinstance(cause, socket.gaierror):
        return "gaierror: " + cause.strerror
    return f"{type(error).__name__}: {error}"


def main():
    try:
        globals()["by_" + sys.argv[1]](sys.argv[2:])
    except OSError as error:
        print("refused:", refused(error))
        sys.exit(3)


main()
