"""A hospital's system: admissions and orders over MLLP, each message once the one before is answered."""

import socket
import threading
import time

from support import hospital

PATIENTS = ("Nguyễn^Văn^Đức", "Trần^Thị^Bích Ngọc", "Lê^Hoàng^Yến", "Phạm^Minh^Quân", "Đặng^Thuỳ^Trâm")


def pour(port, connections, count):
    """Rate and latencies of `count` messages over so many connections; every answer is AA, or the run fails."""
    times, failures = [], []

    def run(number):
        try:
            times.extend(_converse(port, number, count // connections))
        except Exception as failure:  # noqa: BLE001: told below, by the thread that can end the run
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    if failures:
        raise SystemExit(f"HL7: {failures[0]}")
    times.sort()
    return {"messages": len(times), "perSecond": len(times) / seconds,
            **{name: times[min(len(times) - 1, int(share * len(times)))] * 1000
               for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}}


def _converse(port, connection, count):
    times = []
    frames = [b"\x0b" + _message(connection, number).encode() + b"\x1c\r" for number in range(count)]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, frame in enumerate(frames):
            began = time.monotonic()
            line.sendall(frame)
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                piece = line.recv(65536)
                if not piece:
                    raise ConnectionError("closed without an answer")
                answer += piece
            times.append(time.monotonic() - began)
            if f"MSA|AA|M{connection}-{number}".encode() not in answer:
                raise ValueError(answer.decode(errors="replace"))
    return times


def _message(connection, number):
    """In turn an admission and an order for who was admitted."""
    person = f"{connection}-{number // 2}"
    citizen = f"~{connection + 1:02}{number // 2:010}^^^VN-CCCD^NI"
    who = (hospital.pid(f"BN{person}", PATIENTS[number // 2 % 5], f"19{30 + number // 2 % 70}0215", more=citizen),
           hospital.pv1(f"24001{person}"))
    control = f"M{connection}-{number}"
    if number % 2:
        return hospital.message("ORM^O01", *who, *hospital.order("NW", f"O{person}"), control=control)
    return hospital.message("ADT^A04", *who, control=control)
