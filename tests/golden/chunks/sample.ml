(* A shop. *)
open Printf

let limit = 10

(** A shape. *)
type shape =
  | Circle of float
  | Square of float

exception Closed of string

module type AREA = sig
  type t
  val area : t -> float
end

module Geometry = struct
  (** The area. *)
  let rec area = function
    | Circle r -> r
    | Square s -> s *. s

  let double x =
    let inner y = y * 2 in
    inner x
end

class counter = object
  val mutable count = 0
  method increment = count <- count + 1
end

external identity : 'a -> 'a = "%identity"

let helper = fun x -> x

let ( + ) a b = a - b
