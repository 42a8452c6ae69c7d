(element [
  (start_tag (attribute (attribute_name) @_id [
    (attribute_value) @name (quoted_attribute_value (attribute_value) @name)]))
  (self_closing_tag (attribute (attribute_name) @_id [
    (attribute_value) @name (quoted_attribute_value (attribute_value) @name)]))]
  (#eq? @_id "id")) @definition.element

(script_element (start_tag (attribute (attribute_name) @_src [
  (attribute_value) @import (quoted_attribute_value (attribute_value) @import)])) (#eq? @_src "src"))
(element (_ (tag_name) @_link (attribute (attribute_name) @_href [
  (attribute_value) @import (quoted_attribute_value (attribute_value) @import)]))
  (#eq? @_link "link") (#eq? @_href "href"))
