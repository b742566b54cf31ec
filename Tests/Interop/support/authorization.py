"""Who may do what with which resource: the table that the tests of authorization expect, and those who ask."""

from dataclasses import dataclass

import requests

# What each kind of caller may do (docs/access.md); of which studies is asked below.
ROLES = ("administrator", "radiologist", "technician", "integration", "referring-physician", "clerk", "station")
RIGHTS = {
    "search": {*ROLES, "link"} - {"clerk", "station"},
    "read": {*ROLES, "link"} - {"clerk", "station"},
    "store": {"administrator", "radiologist", "technician", "integration"},
    "share": {"administrator", "radiologist"},
    "delete": {"administrator"},
    "administer": {"administrator"},
    "readAudit": {"administrator"},
    "readOrders": {*ROLES, "link"} - {"station"},
    # The worklist of a station is about everybody: who sees single studies does not see it.
    "readWorklist": {"administrator", "radiologist", "technician", "integration", "clerk"},
    "register": {"administrator", "radiologist", "technician", "integration", "clerk"},
    "reconcile": {"administrator", "radiologist", "technician"},
    "invite": {"administrator", "radiologist", "integration"},
    "exchange": {"administrator", "station"},
    "forward": {"administrator", "radiologist", "technician"},
}
# Those who see single studies only.
LIMITED = ("referring-physician", "link")

STUDY, SERIES = "{study}", "{study}/series/{series}"
INSTANCE = SERIES + "/instances/{instance}"
PIXELS = "{0}/frames/1", "{0}/frames/1/rendered", "{0}/frames/1/thumbnail", "{0}/bulkdata/7FE00010", "{0}/bulk/7FE00010"
WADO = "?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}"

# Resources of one study: (right, method, path, body).
OF_ONE_STUDY = [
    *[
        ("read", method, f"/dicom-web/studies/{level}{what}", None)
        for level in (STUDY, SERIES, INSTANCE)
        for what in ("", "/metadata", "/rendered", "/thumbnail", "/bulkdata")
        for method in ("GET", "HEAD")
    ],
    *[("read", "GET", "/dicom-web/studies/" + pixels.format(INSTANCE), None) for pixels in PIXELS],
    *[("read", "GET", root + WADO + more, None)
      for root in ("/wado", "/dicom-web/wado") for more in ("", "&contentType=application/dicom")],
    ("read", "GET", "/api/v1/studies/{study}", None),
    ("read", "GET", "/api/v1/studies/{study}/priors", None),
    ("read", "GET", "/api/v1/events?study={study}", None),
    ("search", "GET", "/dicom-web/studies/{study}/series", None),
    ("search", "GET", "/dicom-web/studies/{study}/instances", None),
    ("search", "GET", "/dicom-web/studies/{study}/series/{series}/instances", None),
    ("store", "POST", "/dicom-web/studies/{study}", b"no instance"),
    ("delete", "DELETE", "/dicom-web/studies/{study}", None),
    ("delete", "DELETE", "/dicom-web/studies/{study}/series/{series}", None),
    ("delete", "DELETE", "/dicom-web/studies/{study}/series/{series}/instances/{instance}", None),
    ("share", "GET", "/api/v1/studies/{study}/grants", None),
    ("share", "POST", "/api/v1/studies/{study}/grants", {}),
    ("share", "DELETE", "/api/v1/studies/{study}/grants/nobody", None),
    ("share", "GET", "/api/v1/studies/{study}/links", None),
    ("share", "POST", "/api/v1/studies/{study}/links", {"seconds": 1}),
    ("share", "DELETE", "/api/v1/studies/{study}/links/999999", None),
    ("readOrders", "GET", "/api/v1/studies/{study}/order", None),
    ("reconcile", "PUT", "/api/v1/studies/{study}/order", {}),
    ("reconcile", "POST", "/api/v1/studies/{study}/order/undo", {}),
    ("exchange", "POST", "/api/v1/exchange/studies/{study}/offer", {}),
    ("exchange", "GET", "/api/v1/exchange/studies/{study}/objects/nobody", None),
    ("exchange", "PATCH", "/api/v1/exchange/studies/{study}/objects/nobody", b"no object"),
    ("exchange", "POST", "/api/v1/exchange/studies/{study}/receipt", {}),
    ("forward", "GET", "/api/v1/studies/{study}/shipments", None),
    ("forward", "GET", "/api/v1/routes/explain?study={study}", None),
]
# Resources of no single study.
OTHERS = [
    ("search", "GET", "/dicom-web/studies", None),
    ("search", "GET", "/dicom-web/series", None),
    ("search", "GET", "/dicom-web/instances", None),
    ("search", "GET", "/api/v1/events", None),
    ("search", "POST", "/api/v1/studies/origins", {"studies": []}),
    ("store", "POST", "/dicom-web/studies", b"no instance"),
    ("administer", "GET", "/api/v1/accounts", None),
    ("administer", "POST", "/api/v1/accounts", {}),
    ("administer", "GET", "/api/v1/accounts/administrator", None),
    ("administer", "PATCH", "/api/v1/accounts/nobody", {"isDisabled": "x"}),
    ("administer", "DELETE", "/api/v1/accounts/nobody", None),
    ("administer", "GET", "/api/v1/tokens", None),
    ("administer", "POST", "/api/v1/tokens", {"account": "administrator", "roles": ["x"]}),
    ("administer", "DELETE", "/api/v1/tokens/999999", None),
    ("readAudit", "GET", "/api/v1/audit", None),
    ("readOrders", "POST", "/api/v1/patients/search", {"name": "nobody at all"}),
    ("register", "POST", "/api/v1/patients", {}),
    ("readOrders", "GET", "/api/v1/patients/999999", None),
    ("register", "PATCH", "/api/v1/patients/999999", {}),
    ("reconcile", "POST", "/api/v1/patients/999999/merge", {"into": 999998, "reason": "x"}),
    ("reconcile", "POST", "/api/v1/patients/999999/unmerge", None),
    ("reconcile", "POST", "/api/v1/patients/999999/ties", {"to": 999998, "reason": "x"}),
    ("readOrders", "POST", "/api/v1/visits/search", {"number": "nobody"}),
    ("register", "POST", "/api/v1/visits", {}),
    ("readOrders", "GET", "/api/v1/visits/999999", None),
    ("register", "POST", "/api/v1/visits/999999/events", {}),
    ("readOrders", "POST", "/api/v1/orders/search", {}),
    ("register", "POST", "/api/v1/orders", {}),
    ("readOrders", "GET", "/api/v1/orders/999999", None),
    ("register", "PATCH", "/api/v1/orders/999999", {}),
    ("register", "POST", "/api/v1/orders/999999/cancel", {"reason": "x"}),
    ("register", "POST", "/api/v1/orders/999999/steps", {"step": "arrive"}),
    ("reconcile", "GET", "/api/v1/inbox", None),
    ("reconcile", "GET", "/api/v1/study-links", None),
    ("administer", "GET", "/api/v1/messages", None),
    ("administer", "GET", "/api/v1/messages/999999", None),
    ("administer", "POST", "/api/v1/messages/999999/replay", {}),
    ("readOrders", "GET", "/api/v1/facilities", None),
    ("readWorklist", "GET", "/api/v1/worklists/nobody", None),
    ("administer", "POST", "/api/v1/facilities", {}),
    ("administer", "POST", "/api/v1/facilities/nobody/end", {"validUntil": "20260101"}),
    ("exchange", "GET", "/api/v1/exchange/key", None),
    ("exchange", "POST", "/api/v1/exchange/contact", {}),
    ("forward", "GET", "/api/v1/fleet", None),
    ("invite", "POST", "/api/v1/links", {}),
    ("invite", "DELETE", "/api/v1/links/999999", None),
    ("forward", "GET", "/api/v1/destinations", None),
    ("forward", "GET", "/api/v1/destinations/nobody", None),
    ("administer", "PUT", "/api/v1/destinations/nobody", {}),
    ("administer", "DELETE", "/api/v1/destinations/nobody", None),
    *[("forward", "POST", f"/api/v1/destinations/nobody/{action}", None) for action in ("pause", "resume", "retry")],
    ("forward", "GET", "/api/v1/routes", None),
    ("forward", "GET", "/api/v1/routes/explain", None),
    ("forward", "POST", "/api/v1/routes/try", {"when": []}),
    ("forward", "GET", "/api/v1/routes/nobody", None),
    ("forward", "PUT", "/api/v1/routes/nobody", {}),
    ("forward", "DELETE", "/api/v1/routes/nobody", None),
    ("forward", "GET", "/api/v1/outbox", None),
    ("forward", "GET", "/api/v1/outbox/shipments", None),
    ("forward", "POST", "/api/v1/outbox/shipments", {}),
    ("forward", "GET", "/api/v1/outbox/shipments/999999", None),
    ("forward", "GET", "/api/v1/outbox/receipts/999999", None),
    *[("forward", "POST", f"/api/v1/outbox/shipments/999999/{action}", body)
      for action, body in (("hold", None), ("release", None), ("first", None), ("last", None), ("retry", None),
                           ("resend", None), ("drop", {}), ("priority", {"priority": "stat"}))],
]
# What anybody may have: nothing of it is about a patient.
OPEN = ["/", "/health/live", "/health/ready", "/api/v1/server", "/api/v1/openapi.json", "/api/v1/oidc", "/metrics"]


@dataclass
class Place:
    """The names of one instance, or names that belong to no such one."""

    study: str
    series: str
    instance: str

    def path(self, template):
        return template.format(study=self.study, series=self.series, instance=self.instance)


@dataclass
class House:
    """An archive with two studies of one patient, of which the limited callers may see the first."""

    archive: object
    seen: object
    hidden: object
    callers: dict

    def place(self, study, number=0):
        dataset = study.datasets[number]
        return Place(study.uid, str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID))

    def ask(self, caller, method, path, body=None, headers=None):
        """(status, body): of a stream only its beginning."""
        arguments = {"json": body} if isinstance(body, dict) else {"data": body}
        fields = {"Accept": "*/*", "X-Requested-With": "test"} | (headers or {})
        if isinstance(body, bytes):
            fields["Content-Type"] = "application/dicom"
        answer = caller.request(
            method, self.archive.url + path, headers=fields, stream=True, timeout=30, allow_redirects=False, **arguments
        )
        with answer:
            if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
                return answer.status_code, b""
            return answer.status_code, answer.content


def anonymous():
    session = requests.Session()
    session.trust_env = False
    return session


def bearer(text):
    session = anonymous()
    session.headers["Authorization"] = f"Bearer {text}"
    return session


def expected(right, kind, is_seen):
    """The status for a caller: None where it may."""
    if kind not in RIGHTS[right]:
        return 403
    return 404 if kind in LIMITED and not is_seen else None


def holds(status, want):
    # Who may gets an answer, or is told what is wrong with the request; the door itself says 401, 403 or 404.
    return status == want if want else status < 400 or status in (400, 409, 411, 415)
