"""A mail server for one test: says where it listens, then every mail it took, one JSON object a line.

--certificate and --key: asks for STARTTLS. --login USER:PASSWORD: takes mail from them alone, once encrypted.
--refuse N: puts the first N mails off, as servers do that are busy.
"""

import argparse
import asyncio
import json
import logging
import ssl

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def say(thing):
    print(json.dumps(thing), flush=True)


class Taker:
    def __init__(self, refuse):
        self.refuse = refuse

    async def handle_DATA(self, server, session, envelope):
        if self.refuse > 0:
            self.refuse -= 1
            say({"refused": envelope.rcpt_tos})
            return "451 try again later"
        say(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "encrypted": session.ssl is not None,
                "user": session.auth_data.login.decode() if session.authenticated else None,
                "message": envelope.content.decode("utf-8"),
            }
        )
        return "250 taken"


async def main():
    # Its complaints about clients are what some tests are for.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--login")
    parser.add_argument("--refuse", type=int, default=0)
    options = parser.parse_args()

    context = None
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate, options.key)

    def authenticate(server, session, envelope, mechanism, data):
        known = isinstance(data, LoginPassword) and f"{data.login.decode()}:{data.password.decode()}" == options.login
        return AuthResult(success=known, handled=False, auth_data=data)

    taker = Taker(options.refuse)

    def serve():
        return SMTP(
            taker,
            hostname="localhost",
            tls_context=context,
            require_starttls=context is not None,
            authenticator=authenticate,
            auth_required=options.login is not None,
        )

    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0)
    say({"port": server.sockets[0].getsockname()[1]})
    await asyncio.Future()


asyncio.run(main())
