local errors = {
  ["405"] = '{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}',
  ["415"] = '{"errcode":"M_NOT_JSON","error":"Content not JSON"}',
  ["422"] = '{"errcode":"M_BAD_JSON","error":"The content lacks something or is of the wrong form"}',
}

function envoy_on_response(handle)
  local body = errors[handle:headers():get(":status")]
  if body then
    local length = handle:body(true):setBytes(body) -- waits for the body: headers taken before are no longer valid
    handle:headers():replace("content-type", "application/json")
    handle:headers():replace("content-length", length)
  end
end
