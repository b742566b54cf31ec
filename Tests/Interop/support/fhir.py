"""A FHIR client that believes nothing: every resource of every answer is read by fhir.resources (R4, 4.0.1)."""

import json
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fhir.resources import construct_fhir_element

TYPE = "application/fhir+json"
CCCD = "urn:phim:VN-CCCD"
BHYT = "http://fhir.ehealth.gov.vn/core/sid/insurance_number"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def judge(resource):
    """The resource, which R4 allows."""
    construct_fhir_element(resource["resourceType"], json.dumps(resource))
    _no_empty(resource)
    return resource


def _no_empty(value, path=""):
    """FHIR has neither empty objects nor empty lists nor empty texts (Section 2.6.2)."""
    assert value not in ({}, [], "", None), path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        _no_empty(item, f"{path}.{key}")


class Client:
    def __init__(self, archive, role=None, account="administrator"):
        self.http = archive.http(role, account)
        self.http.headers["Accept"] = TYPE
        self.base = archive.url + "/fhir/R4"

    def call(self, method, path, expect=200, body=None, headers=None, **more):
        if body is not None:
            more["data"] = json.dumps(body)
            headers = {"Content-Type": TYPE, **(headers or {})}
        url = path if path.startswith("http") else f"{self.base}/{path}" if path else self.base
        answer = self.http.request(method, url, headers=headers, timeout=30, **more)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        self.answer = answer
        if not answer.content:
            return None
        assert answer.headers["Content-Type"].startswith(TYPE)
        resource = judge(answer.json())
        if expect >= 400:
            assert resource["resourceType"] == "OperationOutcome"
        return resource

    def get(self, path, expect=200, **more):
        return self.call("GET", path, expect, **more)

    def post(self, path, body, expect=201, **more):
        return self.call("POST", path, expect, body=body, **more)

    def put(self, path, body, expect=200, **more):
        return self.call("PUT", path, expect, body=body, **more)

    def search(self, path, expect=200, **more):
        """The resources that match, page by page to the end."""
        bundle = self.get(path, expect, **more)
        found = matches(bundle)
        while following := [link["url"] for link in bundle["link"] if link["relation"] == "next"]:
            bundle = self.get(following[0])
            found += matches(bundle)
        return found

    def refused(self, method, path, expect, **more):
        """The one issue of the refusal."""
        issue, = self.call(method, path, expect, **more)["issue"]
        assert issue["severity"] == "error" and issue["diagnostics"].endswith(".")
        return issue


def matches(bundle, mode="match"):
    return [entry["resource"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == mode]


def patient(code="BN1", name="NGUYỄN VĂN ĐỨC", born="1980-02-15", gender="male", more=()):
    return {
        "resourceType": "Patient",
        "identifier": [{"type": {"coding": [{"system": V2, "code": "MR"}]}, "value": code}, *more],
        "name": [{"text": name}], "gender": gender, "birthDate": born,
    }


def encounter(number, subject, status="in-progress", start="2026-11-21T07:30:00+07:00"):
    return {
        "resourceType": "Encounter", "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "identifier": [{"value": number}], "subject": subject, "period": {"start": start},
        "location": [{"location": {"display": "K01 / P2 / G5"}}],
    }


def order(number, subject, visit=None, modality="CT", at="2026-11-21T09:30:00+07:00", status="active", **more):
    request = {
        "resourceType": "ServiceRequest", "status": status, "intent": "order", "priority": "stat",
        "identifier": [{"type": {"coding": [{"system": V2, "code": "PLAC"}]}, "system": "urn:phim:HIS:order",
                        "value": number}],
        "code": {"coding": [{"system": "urn:phim:VN:code", "code": "18.0219"}], "text": "CLVT sọ não"},
        "orderDetail": [{"coding": [{"system": DCM, "code": modality}]}],
        "subject": subject, "occurrenceDateTime": at, "requester": {"display": "LÊ VĂN NAM"},
        "reasonCode": [{"text": "Đau đầu"}],
        **more,
    }
    return request | ({"encounter": visit} if visit else {})


def number(resource, kind):
    """The value of an identifier by its type (HL7 Table 0203)."""
    value, = [identifier["value"] for identifier in resource["identifier"]
              if identifier.get("type", {}).get("coding", [{}])[0].get("code") == kind]
    return value


def study_uid(request):
    value, = [identifier["value"] for identifier in request["identifier"]
              if identifier["system"] == "urn:dicom:uid"]
    return value.removeprefix("urn:oid:")


def transaction(*entries, kind="transaction"):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(resource, full_url=None, method="POST", url=None, **request):
    made = {"resource": resource, "request": {"method": method, "url": url or resource["resourceType"], **request}}
    return made | ({"fullUrl": full_url} if full_url else {})
